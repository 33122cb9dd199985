"""XDoG settings in use, by the names that `params.Sketch` offers.

Brightness runs from 0 to 1 here. Settings with phi = 200 were made for 0 to 255, where eps = 0.1 is a tenth
of a level: eps is divided by 255, and phi multiplied.
"""


def form_a(sigma: float, k: float, gamma: float, eps: float, phi: float) -> dict:
    """Name the settings of a form A."""
    return {"method": "xdog-a", "sigma": sigma, "k": k, "gamma": gamma, "eps": eps, "phi": phi}


def form_p(sigma: float, k: float, p: float) -> dict:
    """Name the settings of a form P; those in use agree on the threshold."""
    return {"method": "xdog-p", "sigma": sigma, "k": k, "p": p, "eps": 0.01, "phi": 1e9}


PRESETS = {
    "a-05": form_a(0.5, 200.0, 0.98, 0.01, 10.0),
    "a-07": form_a(0.7, 2.5, 0.97, 0.1 / 255, 200.0 * 255),
    "a-08": form_a(0.8, 1.6, 0.98, -0.1 / 255, 200.0 * 255),
    "p10-03": form_p(0.3, 3.5, 10.0),
    "p10-04": form_p(0.4, 3.5, 10.0),
    "p10-05": form_p(0.5, 3.5, 10.0),
    "p19-03": form_p(0.3, 4.5, 19.0),
    "p19-04": form_p(0.4, 4.5, 19.0),
    "p19-05": form_p(0.5, 4.5, 19.0),
}
