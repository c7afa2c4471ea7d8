"""A case of a help desk, from the first word to the file that is kept of it, and what each of those who are in it sees."""

import contextlib
import json
import urllib.parse
import urllib.request

import console
from ai_backend import Backend, answer
from broker import ADMIN_TOKEN
from chromium import Browser
from help_desk import Help
from page import Page
from selenium.webdriver.common.keys import Keys
from shop import Visit
from waiting import until

GREETING = "Welcome to the help desk. If an answer does not help, ask for a person."
FIRST = ("Where is my parcel?", "It left the warehouse **on Monday**. The carrier says that it arrives tomorrow.")
SECOND = ("Can it still go to another address?", "I am sorry, I cannot change an address. A person of the team can.")
WISH = "The parcel has to go to another address"
TAKEN = "Carla here. Your parcel goes to the new address now."
THANKS = "Thank you!"
LAST = ("When will it be there?", "On Wednesday, before noon.")
WORDS = "Somebody came within a minute"


class Case:
    """Alice is at a page of the site, with the widget in its corner. Bob came by the group's link to the chat page. Carla is the operator."""

    def __init__(self, stack, directory, browser, results):
        self.directory = directory
        self.model = stack.enter_context(contextlib.closing(Backend()))
        model = {"SOPHIE__AI__BACKEND": "openai", "OPENAI_BASE_URL": self.model.url, "OPENAI_API_KEY": "sk-of-the-backend"}
        self.desk = Help(stack, directory, users=("alice", "bob", "carla"), **model)
        self.sophie = self.desk.sophie
        self.others = Browser(directory / "chromium", results)
        stack.callback(self.others.driver.quit)
        self.carla = self.desk.log_in("carla")
        self.site = self.signed_in(browser, "alice", "/hours/", Visit)
        self.alice = self.site.opened()
        bob = self.signed_in(self.others, "bob", "/", Page)
        self.bob = self.others.open(f"{self.sophie.url}/#session=bob&group=lobby").online()
        assert bob.driver is self.bob.driver
        self.console = self.others.open(f"{self.sophie.url}/admin")
        until(lambda: self.console.find("#token").is_displayed(), "the form")
        self.console.find("#token").send_keys(ADMIN_TOKEN, Keys.ENTER)
        until(lambda: self.console.script("return document.querySelector('#live')?.dataset.state") == "on", "live figures")

    def signed_in(self, browser, user, path, kind):
        page = browser.open(f"{self.desk.url}/login/?next={path}")
        for name, value in (("username", user), ("password", "secret")):
            page.find(f"[name={name}]").send_keys(value)
        page.find("button").click()
        until(lambda: urllib.parse.urlsplit(page.script("return location.href")).path == path, f"{user} to be signed in")
        return kind(page.driver, page.handle, page.results)

    def customers(self):
        return {"alice": self.alice, "bob": self.bob}.items()

    def greet(self):
        """By the site itself, which knows nothing of sockets."""
        for name, page in self.customers():
            until(lambda page=page: page.script("return document.querySelector('#title').textContent") == "lobby", f"{name} to be in the group")
        form = urllib.parse.urlencode({"text": GREETING, "csrfmiddlewaretoken": self.carla["csrftoken"]}).encode()
        request = urllib.request.Request(f"{self.desk.url}/announce/", form, {"Cookie": self.cookies()})
        urllib.request.urlopen(request, timeout=10).close()
        self.all_see(GREETING)

    def ask(self, page, question, said):
        before = len(page.answers())
        self.model.push(answer(said))
        page.type(question, Keys.ENTER)
        self.all_see(question)
        for _, each in self.customers():
            shown = each.answer("done", 30, before)["text"].strip()
            assert shown == said.replace("**", ""), shown

    def all_see(self, text):
        for name, page in self.customers():
            until(lambda page=page: page.messages() and page.messages()[-1].strip() == text, f"{name} to see: {text}")

    def all_are_told(self, words):
        """In the strip above the field, which says who answers."""
        strip = "const strip = document.querySelector('#standing'); return strip.hidden ? '' : strip.textContent"
        for name, page in self.customers():
            until(lambda page=page: page.script(strip) == words, f"{name} to be told: {words}")

    def notes(self):
        return [page.script("return [...document.querySelectorAll('#log .note')].map((note) => note.textContent)") for _, page in self.customers()]

    def ask_for_a_person(self):
        self.bob.find("#ask-person").click()
        until(lambda: self.bob.find("dialog").is_displayed(), "the question what it is about")
        self.bob.find("#person-text").send_keys(WISH)
        self.bob.find("dialog [data-value=yes]").click()
        self.all_are_told("A person was asked for. Until one comes, Sophie answers.")
        for name, page in self.customers():
            assert not page.find("#ask-person").is_displayed(), f"{name} need not ask again"

    def queue(self):
        """The rows of those who wait, as the operator sees them."""
        self.go("waiting")
        return self.console.script("return [...document.querySelectorAll('main tbody tr')].map((row) => row.innerText)")

    def go(self, part):
        console.go(self.console, part)

    def press(self, words, within="main"):
        console.button(self.console, words, within)

    def take_over(self):
        self.press("Take over")
        self.press("Take over", "dialog")
        until(lambda: self.console.script("return location.hash") == "#group/lobby", "the group to be shown")
        self.all_are_told("A person is answering now.")

    def speak(self, text):
        shown = "const field = document.querySelector('.speak textarea'); return field?.checkVisibility() ? field : null"
        until(lambda: self.console.script(shown), "the field").send_keys(text)
        self.press("Say it")
        self.all_see(text)
        for _, page in self.customers():
            assert page.script("return [...document.querySelectorAll('#log [data-role=operator]')].at(-1).textContent").startswith("Operator")

    def hand_back(self):
        self.press("Hand back to the assistant")
        self.all_are_told("")
        for notes in self.notes():
            assert [words for words in notes if "answer" in words][-1] == "Sophie is answering again.", notes

    def thumb(self, page, way, number):
        """What somebody thinks of an answer; it is theirs to see."""
        page.script("document.querySelectorAll('#log .answer')[arguments[0]].querySelector(`.thumb[data-act=${arguments[1]}]`).click()", number, way)
        pressed = "return document.querySelectorAll('#log .answer')[arguments[0]].querySelector(`.thumb[data-act=${arguments[1]}]`).getAttribute('aria-pressed')"
        until(lambda: page.script(pressed, number, way) == "true", f"the thumb {way}")

    def open_rating(self):
        self.bob.find("#rate").click()
        until(lambda: self.bob.find("dialog").is_displayed(), "the question")
        self.bob.find("dialog [value='5']").click()
        self.bob.find("#rating-text").send_keys(WORDS)

    def rate(self):
        self.bob.find("dialog [data-value=yes]").click()
        until(lambda: self.bob.find("#tools-state").text == "Thank you for the rating.", "the thanks")

    def export(self):
        """The files that bob keeps."""
        folder = self.directory / "kept"
        self.bob.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
        for kind, extension in (("markdown", "md"), ("json", "json")):
            self.bob.find(f"#export-{kind}").click()
            until((folder / f"lobby.{extension}").exists, f"the file of {kind}")
        return (folder / "lobby.md").read_text(), json.loads((folder / "lobby.json").read_text())

    def cookies(self):
        return "; ".join(f"{name}={value}" for name, value in self.carla.items())

    def transcript(self):
        return [(line["author"], line["text"]) for line in self.desk.transcript(self.cookies())]

    def remarks(self):
        request = urllib.request.Request(f"{self.desk.url}/remarks/", headers={"Cookie": self.cookies()})
        with urllib.request.urlopen(request, timeout=10) as reply:
            return [(each["kind"], each["user"], each["rating"], each["text"]) for each in json.load(reply)["remarks"]]
