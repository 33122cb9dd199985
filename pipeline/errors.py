"""The exceptions that several rooms raise or catch, and the tree of all exceptions of the project.

    Exception
    ├── Halt                             something outside the program stops a command
    │   ├── web.ratelimit.SiteUnavailable    a site does not answer, or refuses all requests
    │   └── web.connection.ForbiddenAddress   an address leads to a machine that must not be asked
    ├── BadImage                         a picture cannot be used
    ├── sources.checks.FileRejected      the file of a post cannot be fetched, or is not the right one
    │   └── sources.checks.FileDamaged       it is incomplete, but may be complete the next time
    ├── web.client.SearchCanceled        a search takes the database of a site too long
    ├── web.bodies.BodyTooLong           a response is longer than it may be
    ├── web.bodies.BodyBroken            a response does not arrive whole
    │   └── web.bodies.BodyStalled           it comes too slowly
    └── booru.search.ApiError            the loopback site answers with an error

A parameter out of its bounds is a ValueError, which the command line turns into a usage error. Any other
exception is a bug.
"""


class Halt(Exception):
    """Something outside the program stops a command: a sentence says what happened and what to do next.

    Only the command line catches it. It prints the sentence and exits with code 1.
    """


class BadImage(Exception):
    """A picture cannot be used, for one of a few fixed reasons, which are keys of metrics."""
