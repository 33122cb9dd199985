"""Tables in Markdown that grow on the screen."""


def print_head(*cells: str) -> None:
    print_row(*cells)
    print_row(*["---"] * len(cells))


def print_row(*cells: object) -> None:
    """Print a row at once, even into a pipe."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)
