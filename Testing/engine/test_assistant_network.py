"""One nnU-Net between threads: a stand-in for its predictor holds the patch in the same place."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from mewm.assistant.network import SegmentationNetwork

TRAINED = [32, 32, 32]


class Configuration:
    """nnU-Net's configuration manager reads the patch from the configuration whenever it is asked."""

    def __init__(self):
        self.configuration = {"patch_size": TRAINED}

    @property
    def patch_size(self):
        return self.configuration["patch_size"]


class Predictor:
    """Answers with the edge of the tile that it was told to look at, after leaving others time to interfere."""

    def __init__(self, leave_time):
        self.configuration_manager = Configuration()
        self.use_gaussian, self.device = True, SimpleNamespace(type="cuda")
        self._leave_time = leave_time

    def predict_single_npy_array(self, image, properties):
        with self._leave_time():
            return np.full(image.shape[1:], self.configuration_manager.patch_size[0] + 100 * self.use_gaussian)


def network_of(predictor):
    return SegmentationNetwork(predictor, Path("own"), "0" * 64, {}, "post", True, "")


def look(network, edge):
    return network.predict(np.zeros((1, edge, edge, edge), np.float32), [1, 1, 1], in_one=True)


def test_threads_that_share_a_network_get_the_answers_of_one_thread():
    begun, second_begun, first_done = threading.Event(), threading.Event(), threading.Event()

    @contextmanager
    def leave_time():
        """Hold the first caller until a second one is here, if it comes, and that one until the first is done."""
        if begun.is_set():
            second_begun.set()
            first_done.wait(5)
            yield
        else:
            begun.set()
            second_begun.wait(1)
            yield
            first_done.set()

    predictor = Predictor(leave_time)
    network = network_of(predictor)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda edge: set(np.unique(look(network, edge))), (48, 64)))
    assert found == [{48}, {64}]
    assert network.patch == tuple(TRAINED) and predictor.use_gaussian


def test_the_trained_patch_is_told_while_another_thread_looks_at_a_whole_region():
    looking, seen = threading.Event(), []

    def ask():
        looking.wait(10)
        seen.append(network.patch)

    @contextmanager
    def leave_time():
        looking.set()
        asking.join(0.3)
        yield

    network, asking = network_of(Predictor(leave_time)), threading.Thread(target=ask)
    asking.start()
    look(network, 48)
    asking.join()
    assert seen == [tuple(TRAINED)]
