"""Doors to knock at: whose they are, what may be said at one, where it is kept."""

from __future__ import annotations

import pytest
from small_world import START, minute

from anlan.base.errors import AnlanError, FieldError


@pytest.fixture
def street(world):
    """A red warning with two households told of it: one in the community's own grid, one outside every grid."""
    from anlan.engines.outbox import acting
    from anlan.notify.models import Notice
    from anlan.register.models import Grid, Household

    warning = world.warn(4, START, world.proposal(world.finding()))
    with acting("system:test"):
        code = world.site.division_code
        grid = Grid(name="一网格", inspector=world.posts["community"], division_code=code)
        grid.save()
        homes = [
            Household(building="3 栋", door=door, people=2, grid=owner, lon=world.site.lon, lat=world.site.lat, division_code=code)
            for door, owner in (("101", grid), ("102", None))
        ]
        for home in homes:
            home.save()
        for home in homes:
            Notice.objects.create(
                warning=warning,
                channel="none",
                recipient=home.id,
                state="unreachable",
                title=warning.title,
                text=warning.text,
                division_code=code,
            )
    world.refresh()
    return world


def doors(world, level):
    from anlan.respond.doors import doors_of

    lists = doors_of(world.asker[level])
    return lists[0] if lists else None


def test_own_grid_first_else_the_whole_area(street):
    own = doors(street, "community")
    assert own["own"] and [d["door"] for d in own["doors"]] == ["101"] and own["doors"][0]["unreachable"]
    everyone = doors(street, "district")
    assert not everyone["own"] and [d["door"] for d in everyone["doors"]] == ["101", "102"]


def test_what_is_found_at_a_door_is_kept(street):
    from anlan.notify.models import Receipt
    from anlan.respond.doors import visit
    from anlan.respond.models import TimelineEntry

    notice = doors(street, "community")["doors"][0]["notice"]
    asker = street.asker["community"]
    visit(notice, asker, "absent", "敲了三次", now=minute(5))
    visit(notice, asker, "absent", "敲了三次", now=minute(5))  # sent again after the network came back: one line
    assert list(TimelineEntry.objects.filter(subject=notice).values_list("zh", flat=True)) == ["敲门无人应：3 栋 101：敲了三次"]
    assert doors(street, "community")["doors"][0]["absent_at"] == minute(5)
    visit(notice, asker, "acted", now=minute(9))
    assert doors(street, "community")["doors"][0]["reached"] == 4
    assert set(Receipt.objects.filter(notice=notice).values_list("fact", flat=True)) >= {"acted"}


def test_nothing_else_may_be_said_and_nowhere_else(street):
    from anlan.respond.doors import visit

    notice = doors(street, "community")["doors"][0]["notice"]
    with pytest.raises(FieldError):
        visit(notice, street.asker["community"], "perhaps")
    with pytest.raises(AnlanError, match=r"respond\.not_found"):
        visit("note-nowhere", street.asker["community"], "acted")
