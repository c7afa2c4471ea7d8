"""Why something was not done, as an error with a code that a program can tell it by."""


class SophieError(Exception):
    """What the server refuses has a code of the protocol. What this client itself says:

    - `disconnected`: the connection was lost after the command was sent. It may have been carried out.
    - `unconfirmed`: a message was sent, and nothing was heard of it for ten minutes. It may be in the log.
    - `closed`: this client was closed, or the server ended the session; also of what was to be sent when it is closed.
    - `queue_full`: as many messages or commands wait as may.
    - `timeout`: no reply in time. It may have been carried out.
    - `withdrawn`: the program took the message back.
    - `no_answer`: no answer began in time.
    """

    def __init__(self, code: str, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        #: When trying again makes sense, in seconds from when this was told; 0 if that was not said.
        self.retry_after = retry_after

    def __repr__(self) -> str:
        return f"SophieError({self.code!r}, {self.message!r})"
