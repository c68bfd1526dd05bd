"""The book says what did not happen and which link does not hold."""

from anlan.twin.book import PLOT, Book
from anlan.twin.tell import nearest


def test_a_step_is_written_once_and_what_is_missing_is_named() -> None:
    told = []
    book = Book(told.append)
    book.write("finding", "2026-01-01T00:00:00Z", "find-1", None)
    book.write("finding", "2026-01-01T00:00:09Z", "find-2", None)
    book.write("proposal", "2026-01-01T00:00:01Z", "prop-1", "find-9")
    assert [s["id"] for s in told] == ["find-1", "prop-1"]
    assert book.broken() == ["proposal"]
    assert set(book.missing()) == {k for k, _, _ in PLOT} - {"finding", "proposal"}
    assert [s["step"] for s in book.ordered()] == ["finding", "proposal"]


def test_the_nearest_cause_is_found_over_records_outside_the_book() -> None:
    edges = [["read-1", "find-1"], ["find-1", "prop-1"], ["prop-1", "warn-1"], ["warn-1", "note-1"], ["find-0", "prop-1"]]
    assert nearest(edges, "note-1", {"prop-1", "find-1"}) == "prop-1"
    assert nearest(edges, "find-0", {"prop-1"}) is None
    assert nearest(edges, "task-1", {"task-1"}, own="task-1") == "task-1"
