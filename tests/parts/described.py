"""What a broker's own documents say, beside what it was seen to send: each frame and each body is held to its schema. What is described with its
fields may have no others: to a client a field that it does not know means nothing, to a test it is one that nobody has described."""

import functools
import json
import re

from jsonschema_rs import Draft202012Validator

# What the headers begin with that are to be described wherever they are sent. All others stand in every response, or are HTTP's own.
TOLD_OF = ("x-sophie-", "x-ratelimit-", "stream-", "x-should-retry", "retry-after", "link", "location", "etag", "age")
# There may be slashes in what stands last.
OPEN = ("{model}", "{file}", "{subject}")


class Undescribed(AssertionError):
    """Something was sent that is not as it is described."""


def close(schema):
    """Lets every object whose fields are described have no others, unless it is said to be open."""
    if isinstance(schema, list):
        for each in schema:
            close(each)
    elif isinstance(schema, dict):
        for each in schema.values():
            close(each)
        # Of a table of schemas `properties` could be a name: then it is none of these.
        if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
            schema["additionalProperties"] = False


def close_contents(value):
    """The same of the schemas that stand in the bodies of a document."""
    if isinstance(value, list):
        for each in value:
            close_contents(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            close(each) if name in ("schema", "x-item-schema") else close_contents(each)


class Document:
    def __init__(self, text):
        self.value = json.loads(text)
        close(self.value.get("components", {}).get("schemas"))
        for section in ("paths", "components"):
            close_contents(self.value.get(section))
        self.compiled = {}

    def at(self, reference):
        value = self.value
        for part in reference.removeprefix("#/").split("/"):
            value = value[part.replace("~1", "/").replace("~0", "~")]
        return value

    def resolved(self, value):
        return self.at(value["$ref"]) if "$ref" in value else value

    def form_of(self, schema, value):
        """Of several forms that are told from each other by their type, the one that a value has: what is wrong with it can then be said."""
        kind = value.get("type") if isinstance(value, dict) else None
        forms = self.resolved(schema).get("oneOf", []) if isinstance(kind, str) else []
        fitting = [form for form in forms if self.resolved(form).get("properties", {}).get("type", {}).get("const") == kind]
        return fitting[0] if len(fitting) == 1 else schema

    def check(self, schema, value, what):
        schema = self.form_of(schema, value)
        key = json.dumps(schema, sort_keys=True)
        if key not in self.compiled:
            whole = {"components": self.value["components"], "allOf": [schema]}
            self.compiled[key] = Draft202012Validator(whole)
        if not self.compiled[key].is_valid(value):
            errors = [f"at {error.instance_path}: {error.message[:600]}" for error in list(self.compiled[key].iter_errors(value))[:5]]
            raise Undescribed(f"{what} is not as {key[:300]} describes it:\n{json.dumps(value)[:3000]}\n" + "\n".join(errors))


def fits(described, path):
    """How badly a path fits one that is described: how many of its parts that one does not spell out. None: not at all."""
    wanted, parts = described.split("/"), path.split("/")
    if len(parts) < len(wanted) or (len(parts) > len(wanted) and wanted[-1] not in OPEN):
        return None
    if not all(part if want.startswith("{") else want == part for want, part in zip(wanted, parts)):
        return None
    return len(parts) - sum(not want.startswith("{") for want in wanted)


def best(described, target):
    """Of paths that are described the one that an address is, as the program reads it: without slashes that say nothing."""
    path = "/" + "/".join(part for part in re.split(r"[?#]", target)[0].split("/") if part)
    fitting = [(fit, each) for each in described if (fit := fits(each, path)) is not None]
    return min(fitting)[1] if fitting else None


class Described:
    """Both documents of a broker."""

    def __init__(self, openapi, asyncapi):
        self.openapi, self.asyncapi = Document(openapi), Document(asyncapi)

    @staticmethod
    @functools.cache
    def of(openapi, asyncapi):
        """Those of most brokers are the same, and compiled once."""
        return Described(openapi, asyncapi)

    def channel(self, target):
        addresses = {channel["address"]: name for name, channel in self.asyncapi.value["channels"].items()}
        return addresses.get(best(addresses, target))

    def frame(self, channel, frame, action="send"):
        """A frame that the program sends over one of its WebSockets, or takes (`receive`)."""
        messages = [self.asyncapi.at(message["$ref"]) for message in self.asyncapi.value["operations"][f"{channel}.{action}"]["messages"]]
        messages = [self.asyncapi.resolved(message) for message in messages]
        message = next((message for message in messages if message["name"] == frame.get("type")), None)
        if message is None:
            raise Undescribed(f"no message of the channel {channel} is described that is {json.dumps(frame)[:3000]}")
        self.asyncapi.check(message["payload"], frame, f"a frame of {channel}")

    def response(self, method, target, status, headers):
        """What is described of a response; None: nothing is described at this address."""
        paths = self.openapi.value["paths"]
        path = best(paths, target)
        if path is None:
            return None
        item = paths[path]
        operation = item.get(method.lower())
        if operation is None and status < 400 and method != "OPTIONS":
            raise Undescribed(f"{method} {target} was answered by {status}, and is not described")
        # Whoever asks what an address does not take is refused in its own words.
        responses = (operation or next(iter(item.values())))["responses"]
        found = responses.get(str(status)) or (responses.get("default") if status >= 400 else None)
        if found is None:
            if method == "OPTIONS":
                return None
            raise Undescribed(f"{method} {target} was answered by {status}, which is not described")
        found = self.openapi.resolved(found)
        known = {name.lower() for name in found.get("headers", {})}
        for name, value in headers.items():
            if name.startswith(TOLD_OF) and name not in known:
                raise Undescribed(f"{method} {target} ({status}): the header {name}: {value} is not described")
        return found

    def body(self, method, target, status, headers, body, whole=True):
        """A response with what has come of its body. How many values of it were looked at."""
        what = f"{method} {target} ({status})"
        expected = self.response(method, target, status, headers)
        if expected is None or method == "HEAD":
            return 0
        kind = headers.get("content-type", "").split(";")[0].strip()
        if not kind:
            if body:
                raise Undescribed(f"{what}: a body is not described")
            return 0
        content = expected.get("content", {}).get(kind)
        if content is None:
            raise Undescribed(f"{what}: a body of the type {kind} is not described")
        if kind == "application/json" and whole:
            self.openapi.check(content["schema"], read(body, what), what)
            return 1
        if kind == "text/event-stream":
            return sum(self.event(event, content["x-item-schema"], headers, what) for event in body.split(b"\n\n")[:-1])
        return 0

    def event(self, event, schema, headers, what):
        lines = event.split(b"\n")
        data = b"\n".join(line.removeprefix(b"data:").lstrip() for line in lines if line.startswith(b"data:"))
        if not data or data == b"[DONE]":
            return False
        is_text = "stream-sse-data-encoding" in headers and b"event: data" in lines
        self.openapi.check(schema, data.decode() if is_text else read(data, what), what)
        return True


def read(data, what):
    try:
        return json.loads(data)
    except ValueError as error:
        raise Undescribed(f"{what}: no JSON: {data[:300]}: {error}") from error
