"""The chat page as a person at it sees it."""

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from waiting import until


class Page:
    """One tab with the chat page, spoken of as a reader would."""

    def __init__(self, driver, handle, results):
        self.driver = driver
        self.handle = handle
        self.results = results

    def script(self, text, *arguments):
        self.driver.switch_to.window(self.handle)
        return self.driver.execute_script(text, *arguments)

    def asynchronous(self, text, *arguments):
        """A script that says when it is done: what it calls its last argument with."""
        self.driver.switch_to.window(self.handle)
        return self.driver.execute_async_script(text, *arguments)

    def find(self, selector):
        self.driver.switch_to.window(self.handle)
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def online(self, seconds=30):
        until(lambda: self.phase() == "online", lambda: f"the page to be connected; it is at {self.where()}", seconds)
        return self

    def where(self):
        """What somebody who looks for a fault asks first."""
        said = [line["message"] for line in self.driver.get_log("browser")]
        return self.script("return [location.href, document.readyState, document.querySelector('#status')?.innerText]"), said

    def join(self, group, name=""):
        """Joins by the form of the panel. A guest whose browser is in no group yet is asked for a name."""
        self.find("#join-name").send_keys(group, Keys.ENTER)

        def there():
            if self.script("return Boolean(document.querySelector('#guest-name'))"):
                if name:
                    self.find("#guest-name").send_keys(name, Keys.ENTER)
                else:
                    self.find("dialog [data-value=skip]").click()
            # Who is there is known once it was joined.
            return self.phase() == "online" and self.title() == group and self.members()

        until(there, "the group to be joined and shown")

    def title(self):
        """What is shown, by one script: the page may load itself anew at any moment."""
        return self.script("return document.querySelector('#title')?.textContent")

    def forget(self):
        """As if the next page were opened in another browser."""
        self.script("localStorage.clear()")

    def members(self):
        return self.script("return [...document.querySelectorAll('#members li')].map((row) => row.textContent)")

    def phase(self):
        return self.script("return document.querySelector('#status')?.dataset.phase")

    def type(self, *keys):
        self.find("#composer").send_keys(*keys)

    def answers(self):
        """[{state, text}] of every answer in the log."""
        return self.script(
            "return [...document.querySelectorAll('#log .answer')].map((row) =>"
            " ({state: row.dataset.state, text: row.querySelector('.body').textContent}))"
        )

    def messages(self):
        """The text of every message of a person in the log, those still to be sent excepted."""
        return self.script(
            "return [...document.querySelectorAll('#log .message:not(.pending)')].map((row) => row.querySelector('.body').textContent)"
        )

    def answer(self, state, seconds=30, number=0):
        def in_state():
            answers = self.answers()
            return len(answers) > number and answers[number]["state"] == state and answers[number]

        return until(in_state, f"answer {number} to be {state}", seconds)

    def underway(self, characters=20, number=0):
        """Waits until an answer is being written, and has that many characters."""

        def has():
            answers = self.answers()
            if len(answers) <= number:
                return False
            assert answers[number]["state"] == "running", f"ended before it was caught: {answers[number]}"
            return len(answers[number]["text"]) >= characters and answers[number]

        return until(has, "an answer to be under way")

    def screenshot(self, name):
        self.driver.switch_to.window(self.handle)
        self.results.mkdir(exist_ok=True)
        self.driver.save_screenshot(str(self.results / f"{name}.png"))
