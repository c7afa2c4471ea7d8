"""The client library in JavaScript, in Node and in Chromium: connections that are cut, nodes that die, tokens that end."""

import contextlib
import json
import pathlib
import secrets
import subprocess

import pytest
from ai_backend import chunk, stream
from broker import held_port
from stage import Stage
from waiting import until
from wire import Wire
from world import TEXT, World, slowly

HERE = pathlib.Path(__file__).parent
PAGE = """<!doctype html><title>a page of its own</title><script src="{library}"></script>
<script type="module">import {{ play }} from "/library.mjs"; window.play = play;</script>"""


class Staged(World):
    """A stage beside it, for browsers and for scripts."""

    def __init__(self, directories, stack):
        script = lambda: (HERE / "library.mjs").read_bytes()  # noqa: E731
        self.stage = Stage({"/library.mjs": ("text/javascript", script), "/": ("text/html", lambda: PAGE.format(library=f"{self.nodes[0].url}/client.js").encode())})
        stack.callback(self.stage.close)
        super().__init__(directories, stack, SOPHIE__SERVER__ALLOWED_ORIGINS=self.stage.url)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Staged(tmp_path_factory, stack)


@pytest.fixture(params=["node", "chromium"])
def play(request, world):
    """Plays a scenario at a broker, over a line; what came of it."""

    def played(what, at=None, **more):
        broker = at or world.nodes[0]
        session = secrets.token_hex(8)
        with Wire(broker.port) as wire, held_port() as nobody:
            world.stage.acts = world.acts(broker, wire)
            kit = {
                "what": what,
                "url": wire.url,
                "session": session,
                "group": f"team-{session}",
                "control": f"{world.stage.url}/act",
                "nowhere": f"http://127.0.0.1:{nobody.getsockname()[1]}",
            } | more
            run = in_node if request.param == "node" else in_chromium(request, world)
            result = run(kit)
        assert "fault" not in result, result["fault"]
        return result

    return played


def in_node(kit):
    node = HERE / "node_modules/node/bin/node"
    done = subprocess.run([node, "library_node.mjs", json.dumps(kit)], cwd=HERE, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def in_chromium(request, world):
    browser = request.getfixturevalue("browser")

    def run(kit):
        page = browser.open(f"{world.stage.url}/")
        page.driver.set_script_timeout(60)
        until(lambda: page.script("return Boolean(window.play && window.Sophie)"), "the page to be there")
        result = page.asynchronous("const [kit, done] = arguments; play({ ...kit, Sophie }).then(done)", kit)
        assert page.script("return window.Sophie.origin") == f"{world.nodes[0].url}/"
        return result

    return run


def test_a_question_is_answered_piece_by_piece_and_read_again(play, world):
    # For longer than a busy machine pauses: what the broker reads late comes as one piece.
    world.backend.push(slowly(0.04))
    told = play("talk")
    assert "".join(told["pieces"]) == told["text"] == TEXT
    assert len(told["pieces"]) > 3
    assert (told["state"], told["model"], told["usage"]["total_tokens"], told["length"]) == ("done", "gpt-4o-mini", 12, len(TEXT)), told
    assert [event["type"] for event in told["past"]] == ["message", "answer.end"]
    assert told["past"][0]["message"]["id"] == told["asked"] and told["read"] == "done"
    assert told["phases"] == ["connecting", "open", "closed"]
    assert told["stale"] == [[told["home"], "first"]] and told["groups"] == [told["home"]] and told["position"]["seq"] == 2


def test_an_answer_goes_on_where_it_was_when_the_line_is_cut(play, world):
    world.backend.push(slowly())
    told = play("cut")
    assert told["text"] == told["whole"] == told["logged"] == TEXT, "nothing doubled, nothing missing"
    assert (told["state"], told["ends"], told["opened"]) == ("done", 1, 4)
    assert [reason for _, reason in told["stale"]] == ["first"], "the log was enough"


def test_what_a_model_thinks_is_put_together_apart_from_its_answer_over_a_cut(play, world):
    # The time is the broker's, from the first thought that it reads: there are to be more also after a pause.
    thoughts = [chunk({"reasoning_content": TEXT[at : at + 3]}) for at in range(0, len(TEXT), 3)]
    world.backend.push(stream(*thoughts, chunk({"content": "Yes."}), chunk({}, "stop"), pause=0.04))
    told = play("thoughts")
    assert told["thought"] == told["reasoning"] == TEXT, "nothing doubled, nothing missing"
    assert (told["text"], told["length"], told["reasoningCut"]) == ("Yes.", 4, False)
    assert told["reasoningMs"] > 500 and told["read"] == ["Yes.", TEXT, told["reasoningMs"]]


def test_a_message_whose_acknowledgement_was_lost_is_there_once(play):
    told = play("once")
    assert [text for text, _ in told["queued"]] == ["one", "two", "three"]
    assert told["past"] == told["messages"] == ["before", "one", "two", "three"], "each once, in order"
    assert [ack["seq"] for ack in told["acks"]] == [2, 3, 4] and told["left"] == 0


def test_a_node_dies_and_the_other_goes_on(play, world):
    try:
        told = play("other")
    finally:
        world.nodes[0].start()
    assert told["first"] != told["second"]
    assert sorted(told["messages"]) == sorted(["before", "before in the group", "meanwhile", "meanwhile in the group", "after"])
    assert [reason for _, reason in told["stale"]] == ["first", "first"]


def test_a_client_that_did_not_read_recovers(play):
    told = play("slow")
    assert told["seqs"] == list(range(1, told["said"] + 1)), "each once, in order"
    # Who does not read answers no ping either: which of the two comes first depends on what the system beneath keeps.
    assert told["codes"] and set(told["codes"]) <= {4002, 4003, 1006}, told["codes"]
    assert [reason for _, reason in told["stale"]] == ["first"]


def test_a_deployment_is_waited_out_and_groups_are_joined_again(play, world):
    told = play("drain", world.short)
    assert (told["code"], told["reconnect"]) == (4001, True)
    assert told["kept"] >= told["asked"] - 20, "not before it was asked to"
    assert told["past"] == ["through it"]
    assert len(told["groups"]) == 2, "the session was lost with the memory"
    assert [told["home"], "lost"] in told["stale"]


def test_what_an_operator_closed_stays_closed(play):
    told = play("operator")
    assert told["closed"] == 4502 and told["reason"] and told["still"] == 0
    assert [refused if isinstance(refused, str) else refused["code"] for refused in told["refused"]] == ["closed", "closed", "done"]
    assert told["past"] == ["before"], "and is there when it is asked for"


def test_a_wrong_token_is_the_end_and_why_is_told(play, world):
    told = play("wrong", world.guarded)
    assert (told["refused"]["code"], told["phase"], told["status"]) == ("closed", "closed", 401)
    assert "token" in told["reason"] and told["dials"] == 2 and told["still"] == 0


def test_tokens_are_replaced_before_they_end(play, world):
    told = play("tokens", world.guarded)
    assert told["user"] == "alice" and 0 < told["expires"] <= 12_000
    assert told["opens"] == 1, "one connection outlived its first token"
    assert [answer for answer in told["answered"] if answer != "done"] == [] and not told["errors"]
    assert told["asked"] >= 4 and told["end"] == 4500, "nothing is left to connect with"


def test_two_clients_in_a_group_see_each_other(play):
    told = play("group")
    assert len(told["users"]) == 2 and told["typist"] in told["users"]
    assert 1 <= told["tellings"] <= 3, "not as often as a key is hit"
    assert told["messages"] == [f"line {n}" for n in range(10)]
    assert told["refused"]["code"] == "not_member"
    assert [reason for _, reason in told["names"]] == ["first", "first", "first"]


def test_the_history_is_read_when_the_log_no_longer_holds_what_was_missed(play, world):
    told = play("stale", world.short)
    assert [reason for _, reason in told["stale"]] == ["first", "missed"]
    assert told["shown"] == [f"missed {n}" for n in range(3, 8)]
    assert told["messages"] == ["seen"]


def test_who_is_busy_says_so_or_is_waited_for(play, world):
    # Both last for longer than a busy machine pauses: the third question is to find them under way.
    world.backend.push(slowly(0.06), slowly(0.06))
    told = play("busy")
    assert (told["told"]["name"], told["told"]["code"]) == ("SophieError", "busy")
    assert told["delay"] == "busy" and told["states"] == ["done"] * 3 and not told["errors"]
    assert told["past"] == ["First, at length", "Second, at length", "Third"]


def test_an_answer_is_ended_and_asked_for_anew(play, world):
    # It lasts until it is cancelled.
    world.backend.push(slowly(0.1))
    told = play("again")
    assert told["first"] == ["cancelled", "cancelled"] and told["second"] == "done" and told["same"]
    assert (told["unknown"]["code"], told["odd"]["code"]) == ("not_found", "unknown_type")


def test_what_waits_has_a_bound_and_an_end(play):
    told = play("bounds")
    assert told["more"]["code"] == "queue_full" and told["same"] and told["back"] == [True, False]
    assert (told["taken"]["code"], told["large"]["code"]) == ("withdrawn", "too_large")
    assert told["past"] == ["one", "three"]
    assert [lost["code"] for lost in told["lost"]] == ["closed"] * 4
    assert told["attempt"] >= 1 and told["waits"] == "number" and told["names"] == 3
