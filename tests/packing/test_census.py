"""A census counts samples in memory that depends on the number of names alone."""

from pipeline.packing.census import Census


def test_a_census_grows_with_names_not_with_samples():
    census = Census()
    for number in range(1000):
        metadata = {
            "id": number,
            "artist": f"bob_{number % 3}",
            "tags": ["ann", "hat"],
            "rating": "gs"[number % 2],
        }
        metadata |= {"license": "MIT", "source": f"https://art.example/{number}", "score": number % 3}
        census.add(metadata, "train", {"color.png": bytes(number), "json": b"{}"})
    assert sum(len(counts) for counts in vars(census).values()) < 40
    assert len(census) == 1000
    assert census.members == {"color.png": len(census), "json": len(census)}
