"""Who is in a group, kept up to date."""

from __future__ import annotations

from collections.abc import Callable

from ._commands import Commands
from ._events import MembersChanged
from ._groups import quiet
from ._protocol import Frame, Member, members
from ._timers import Timers

# However many come and go, the list is asked for once in a while: each time costs the server something.
AGAIN = 0.4
# Who loses the line is still a member, but no longer there, and nobody is told: so the list is asked for now and then.
REFRESH = 30.0


class Presence:
    def __init__(self, group: str, commands: Commands, changed: Callable[[Presence], None], over: Callable[[], None]) -> None:
        self.group = group
        #: How many there are, of whom `members` may name less.
        self.total = 0
        self._members: dict[str, Member] = {}
        self._timers = Timers()
        self._commands = commands
        self._changed = changed
        self._over = over
        self._stopped = False
        self.refresh()

    @property
    def members(self) -> list[Member]:
        """Those that are there, once for each session: at most 1,000."""
        return list(self._members.values())

    def refresh(self) -> None:
        """Asks the server anew."""
        if self._stopped:
            return
        self._timers.clear("again")
        self._timers.set("refresh", REFRESH, self.refresh)
        # What is refused is asked again at the next occasion.
        quiet(self._commands.ask("group.members", {"group": self.group}, again=True, done=self._take), lambda refused: None)

    def stop(self) -> None:
        """No more of it: its timers end."""
        if not self._stopped:
            self._stopped = True
            self._timers.clear_all()
            self._over()

    # What follows is the library's.

    def membership(self, event: MembersChanged) -> None:
        """Somebody came or went."""
        before = len(self._members)
        for member in event.members:
            if not event.joined:
                self._members.pop(member.session, None)
            else:
                self._members.setdefault(member.session, member)
        self.total = self.total + len(self._members) - before if event.total is None else event.total
        self._changed(self)
        self.soon()

    def soon(self) -> None:
        """There is a new connection, or a change that names nobody."""
        if not self._stopped and not self._timers.has("again"):
            self._timers.set("again", AGAIN, self.refresh)

    def _take(self, frame: Frame) -> None:
        if not self._stopped:
            told = members(frame)
            self._members = {member.session: member for member in told.members}
            self.total = told.total
            self._changed(self)
