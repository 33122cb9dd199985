"""The loopback site answers the API and serves files as a Danbooru does."""

import json
from urllib.parse import urlsplit

import pytest
from loopback import POSTS, ask, basic, get, read

from pipeline.booru import catalog
from pipeline.booru.site import read_accounts, serve_forever
from pipeline.errors import Halt


def test_only_reduces_posts_to_the_fields_it_names_however_deep(site):
    only = "id,media_asset[pixel_hash],rating,nonsense"
    _, posts = ask(site, "/posts.json", tags="id:7", only=only)
    assert posts == [{"id": 7, "media_asset": {"pixel_hash": f"{7:032x}"}, "rating": "e"}]
    _, whole = ask(site, "/posts/7.json", only="media_asset")
    assert list(whole) == ["media_asset"]
    assert list(whole["media_asset"]) == ["pixel_hash", "variants"]
    _, deep = ask(site, "/posts/7.json", only="media_asset[variants[type,width]]")
    assert deep["media_asset"]["variants"][-1] == {"type": "original", "width": 70}


def test_a_post_is_found_by_id_and_by_md5_as_one_object(site):
    _, post = ask(site, "/posts/42.json")
    given, md5 = POSTS[41], POSTS[41]["md5"]
    assert post["file_url"] == f"{site}/original/{md5[:2]}/{md5[2:4]}/{md5}.png"
    computed = {"file_url", "large_file_url", "media_asset"}
    assert {k: v for k, v in post.items() if k not in computed} == {
        k: v for k, v in given.items() if k not in ("media_asset", "is_restricted")
    }
    assert ask(site, "/posts.json", md5=md5) == (200, post)
    for path, asked in (("/posts/251.json", {}), ("/posts.json", {"md5": "0" * 32})):
        status, error = ask(site, path, **asked)
        assert (status, error["error"]) == (404, "ActiveRecord::RecordNotFound")


@pytest.mark.parametrize(
    "headers",
    [
        basic("gus", "wrong"),
        basic("nobody", "g1"),
        basic("gus", ""),
        basic("", ""),
        {"Authorization": "Basic g1"},
        {"Authorization": "Bearer g1"},
        {"Authorization": "Basic \xff\xfe"},
    ],
)
def test_bad_credentials_are_refused_and_not_treated_as_anonymous(site, headers):
    status, _, body = get(site, "/posts/1.json", **headers)
    assert (status, json.loads(body)["error"]) == (401, "SessionLoader::AuthenticationFailure")


def test_files_need_no_account(site):
    target = ask(site, "/posts/1.json")[1]["file_url"].removeprefix(site)
    assert get(site, target, **basic("gus", "wrong"))[0] == 200


def test_accounts_are_written_with_colons_and_the_error_does_not_repeat_the_key():
    read = read_accounts(["gus:g1:gold", "pia:p:1:platinum"])
    assert read == {"gus": ("g1", "gold"), "pia": ("p:1", "platinum")}
    for text in ("gus:secret", "gus", ":secret:gold", "gus::gold", "gus:secret:golden"):
        with pytest.raises(ValueError, match="account must be LOGIN:API_KEY:LEVEL") as error:
            read_accounts([text])
        assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("number", "seers"), [(11, ()), (15, ("gus", "pia")), (16, (None, "mia", "gus", "pia"))]
)
def test_a_hidden_post_shows_its_fields_but_no_address_of_its_picture(site, number, seers):
    md5 = POSTS[number - 1]["md5"]
    for login in (None, "mia", "gus", "pia"):
        _, post = ask(site, f"/posts/{number}.json", login)
        _, listed = ask(site, "/posts.json", login, tags=f"id:{number}")
        assert listed == [post]
        assert "is_restricted" not in post
        assert post["score"] == number - 50
        assert post["media_asset"]["pixel_hash"] == f"{number:032x}"
        seen = login in seers
        assert (md5 in json.dumps(post)) == seen
        for name in ("md5", "file_url", "large_file_url"):
            assert (name in post) == seen
        assert ("variants" in post["media_asset"]) == seen
        assert ask(site, "/posts.json", login, md5=md5)[0] == (200 if seen else 404)


def test_the_file_of_a_banned_post_is_gone(site):
    md5 = POSTS[10]["md5"]
    assert get(site, f"/original/{md5[:2]}/{md5[2:4]}/{md5}.webp")[0] == 404


def test_an_original_arrives_byte_for_byte_and_a_lost_one_is_404(site):
    for number, status in ((12, 200), (13, 404)):
        _, post = ask(site, f"/posts/{number}.json")
        answer, headers, body = get(site, post["file_url"].removeprefix(site))
        assert answer == status
        if status == 200:
            assert headers["Content-Type"] == "image/png"
            assert body == read(POSTS[11])


def test_only_the_paths_that_a_post_names_lead_to_files(site):
    target = ask(site, "/posts/12.json")[1]["file_url"].removeprefix(site)
    md5 = POSTS[11]["md5"]
    assert get(site, target)[0] == 200
    for wrong in (
        target.replace(".png", ".jpg"),
        target.replace(md5 + ".", f"sample-{md5}."),
        target.replace("original", "sample"),
        target.replace("original", "720x720"),
        f"/original/{md5[2:4]}/{md5[:2]}/{md5}.png",
    ):
        assert get(site, wrong)[0] == 404


@pytest.mark.parametrize("agent", ["python-requests/2.32", "Mozilla/5.0 (X11; Linux)"])
def test_browsers_and_scripts_without_a_name_get_the_403_page_of_the_proxy(site, agent):
    for target in ("/posts.json", "/original/aa/aa/x.png"):
        status, headers, body = get(site, target, agent)
        assert (status, headers["Content-Type"], headers["cf-mitigated"]) == (403, "text/html", "challenge")
        assert body.startswith(b"<!DOCTYPE html>")


def test_robots_may_fetch_files_but_not_the_api(site):
    assert b"Disallow: /*.json\nAllow: /original\n" in get(site, "/robots.txt")[2]


def test_a_port_that_is_taken_stops_with_a_sentence(site):
    with pytest.raises(Halt, match="cannot be opened"):
        serve_forever(catalog.Catalog([], read), urlsplit(site).port)
