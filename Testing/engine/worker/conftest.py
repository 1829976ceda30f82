"""A real engine process, a case on disk and one exploration of it, for the tests of this folder."""

import pytest
import SimpleITK as sitk
from worker_process import QUICK, TWO_PLATINUMS, WorkerProcess


@pytest.fixture(scope="module")
def case(phantoms, tmp_path_factory):
    folder = tmp_path_factory.mktemp("case")
    images = dict(zip(("ct", "lesion", "liver"), phantoms.make_phantom(), strict=True))
    for name, image in images.items():
        sitk.WriteImage(image, str(folder / f"{name}.nrrd"))
    return {name: str(folder / f"{name}.nrrd") for name in images}


@pytest.fixture(scope="module")
def worker():
    with WorkerProcess() as process:
        assert process.event()["event"] == "ready"
        yield process


@pytest.fixture(scope="module")
def explored(worker, case, tmp_path_factory):
    """Events and result of one exploration with an own protocol that breaks a rule."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    own = [{"protocol": TWO_PLATINUMS, "override_rules": True}]
    request = worker.ask("explore", case=case, run=str(folder), settings=QUICK, own_protocols=own, keep=2)
    events = worker.until(request)
    assert events[-1]["event"] == "done", events[-1]
    return events, events[-1]["result"], folder
