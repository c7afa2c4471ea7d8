"""A case of a help desk from its first word to its end: two customers, an operator, the application's worker, and what each of them sees."""

import contextlib

import support_case as case_of
from broker import ROOT
from support_case import Case
from waiting import until


def test_a_case_goes_from_the_assistant_to_a_person_and_back(browser, tmp_path):
    with contextlib.ExitStack() as stack:
        case = Case(stack, tmp_path, browser, ROOT / "test-results")
        case.greet()
        case.ask(case.alice, *case_of.FIRST)
        case.ask(case.bob, *case_of.SECOND)
        case.thumb(case.bob, "bad", 1)
        assert case.queue() == []

        case.ask_for_a_person()
        [row] = until(case.queue, "the queue to have it")
        assert "lobby" in row and "bob" in row and case_of.WISH in row, row
        case.take_over()
        asked = len(case.model.calls)
        case.speak(case_of.TAKEN)
        case.alice.type(case_of.THANKS, case_of.Keys.ENTER)
        case.all_see(case_of.THANKS)
        until(lambda: case_of.THANKS in case.console.find("#main").text, "the operator to see it")
        assert len(case.model.calls) == asked and len(case.bob.answers()) == 2, "the assistant keeps quiet"
        case.hand_back()
        assert case.queue() == []
        case.ask(case.alice, *case_of.LAST)
        assert case_of.TAKEN in str(case.model.calls[-1]["messages"]), "the assistant knows what the person said"

        case.thumb(case.alice, "good", 2)
        case.open_rating()
        case.rate()
        case.go("feedback")
        shown = until(lambda: case_of.WORDS in case.console.find("#main").text and case.console.find("#main").text, "the operator to read the rating")
        assert "bob" in shown and "alice" in shown

        written, kept = case.export()
        said = [case_of.GREETING, *case_of.FIRST, *case_of.SECOND, case_of.TAKEN, case_of.THANKS, *case_of.LAST]
        texts = [event["message"]["text"] if event["type"] == "message" else event["text"] for event in kept["events"]]
        assert texts == said
        places = [written.index(text) for text in said]
        assert places == sorted(places), written
        authors = ["carla", "alice", "assistant", "bob", "assistant", "operator", "alice", "alice", "assistant"]
        until(lambda: len(case.transcript()) == len(said), "the worker to have all of it")
        assert case.transcript() == list(zip(authors, said, strict=True))
        until(lambda: len(case.remarks()) == 6, "the worker to have the rest")
        assert case.remarks() == [
            ("rated", "bob", -1, ""),
            ("asked", "bob", None, case_of.WISH),
            ("taken", "bob", None, case_of.WISH),
            ("handed_back", "", None, ""),
            ("rated", "alice", 1, ""),
            ("rated", "bob", 5, case_of.WORDS),
        ]
