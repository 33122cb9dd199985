"""The browser's own storage keeps works: in Chromium, over a reload of the page."""

import pytest
from browser import chromium, needs_chromium, static_site, tab
from node import WEB

pytestmark = [needs_chromium, pytest.mark.filterwarnings("ignore::ResourceWarning")]
__all__ = ["chromium"]

OPEN = 'const storage = await (await import("/draw/saved.js")).openStorage(); '
SHOW = """
  const plain = ([key, value]) => [key, value.join?.() ?? value];
  const shown = (found) => found && [found.id, [...found.records].map(plain)];
"""


def run(page, body):
    return page.evaluate(f"async () => {{ {OPEN} {SHOW} {body} }}")


def test_works_are_kept_over_a_reload_and_the_oldest_go(chromium):
    with static_site(WEB) as address, tab(chromium) as opened:
        page = opened.page
        page.goto(address + "package.json")
        assert run(page, "return storage.read('a')") is None
        made = run(
            page,
            """
            const part = new Map([["work", 2], ["step/1", null], ["tile/mask/0", Uint32Array.of(7)]]);
            const early = await storage.write("a", part, false);
            await storage.write("a", new Map([["work", 1], ["step/1", 3], ["file/x", "y"]]), true);
            return [early, await storage.write("a", part, false), shown(await storage.read("a"))];
            """,
        )
        kept = ["a", [["file/x", "y"], ["tile/mask/0", "7"], ["work", 2]]]
        assert made == [False, True, kept]
        page.reload()
        assert run(page, "return shown(await storage.read('a'))") == kept
        failed = run(
            page,
            """
            const name = await storage.write("a", new Map([["work", 9], ["step/1", () => 0]]), false)
              .catch((error) => error.name);
            return [name, shown(await storage.read("a"))];
            """,
        )
        assert failed == ["DataCloneError", kept]
        last = run(
            page,
            """
            for (const id of "bcde") await storage.write(id, new Map([["work", id]]), true);
            const found = [];
            for (const id of [..."abcde", "other"]) found.push((await storage.read(id)).id);
            return found;
            """,
        )
        assert last == ["e", "b", "c", "d", "e", "e"]  # "a" is gone; for what is not there comes the last
        listed = run(
            page,
            """
            const named = (title) => new Map([["work", { settings: { title } }]]);
            for (const id of "bd") await storage.write(id, named(id), true);
            return (await storage.list()).slice(0, 2);
            """,
        )
        assert listed == [{"id": id, "settings": {"title": id}} for id in "db"]


def test_a_work_belongs_to_one_tab(chromium):
    with static_site(WEB) as address, tab(chromium) as opened:
        pages = [opened.page, opened.context.new_page()]
        for page in pages:
            page.goto(address + "package.json")
        ask = "async (id) => (await import('/draw/saved.js')).claim(id)"
        assert [page.evaluate(ask, "a") for page in (*pages, pages[0])] == [True, False, True]
        assert pages[1].evaluate(ask, "b")
        for _ in range(3):
            pages[0].reload()
            assert pages[0].evaluate(ask, "a")
        pages[0].close()
        pages[1].evaluate("navigator.locks.request('inkwash-a', () => {})")  # waits until the tab is closed
        assert pages[1].evaluate(ask, "a")


def test_a_full_storage_is_a_sentence_and_the_work_is_saved_once_there_is_space(chromium):
    with static_site(WEB) as address, tab(chromium) as opened:
        page = opened.page
        page.goto(address + "package.json")
        browser = opened.context.new_cdp_session(page)
        browser.send("Storage.overrideQuotaForOrigin", {"origin": address, "quotaSize": 3_000_000})
        run(
            page,
            """
            const { Work } = await import("/draw/work.js");
            const { Saver } = await import("/draw/saved.js");
            globalThis.work = new Work(400, 400);
            globalThis.saver = new Saver(storage, "one");
            work.begin();
            work.layers.strokes.paint([5, 0, 300], 0xff0000ff);
            work.commit("stroke");
            await saver.save(work);
            const bytes = Uint8Array.from({ length: 8e6 }, (_, k) => (k * k) >> 7);
            work.files.set("large", { name: "large", bytes });
            await saver.save(work);
            """,
        )
        assert page.evaluate("saver.problem").startswith("The browser's storage is full: ")
        assert run(page, "return (await storage.read('one')).records.get('work').position") == 1
        browser.send("Storage.overrideQuotaForOrigin", {"origin": address})
        run(
            page,
            """
            work.begin();
            work.layers.mask.paint([3, 0, 9], 255);
            work.commit("mask");
            await saver.save(work);
            """,
        )
        assert page.evaluate("saver.problem") == ""
        page.reload()
        saved = run(
            page,
            """
            const { parse } = await import("/draw/saved.js");
            const work = parse((await storage.read("one")).records);
            const pixels = [work.layers.strokes.at(299, 5), work.layers.mask.at(8, 3)];
            return [...pixels, work.files.get("large").bytes.length, work.history.position];
            """,
        )
        assert saved == [0xFF0000FF, 255, 8_000_000, 2]
