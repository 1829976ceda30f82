"""Which code answers which method. Libraries and models are loaded by the first job and kept for the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mewm.worker.fields import Fields
from mewm.worker.job import Job

if TYPE_CHECKING:
    from mewm.exploration import Models
    from mewm.worker.runs import Runs

Result = dict[str, Any]


class Engine:
    """Runs one job at a time.

    Attributes:
        methods: names of the methods.
    """

    def __init__(self) -> None:
        """Load nothing yet."""
        self._methods: dict[str, Callable[[Job], Result]] = {
            "describe": self._describe,
            "explore": lambda job: self._runs().explore(job),
            "simulate": lambda job: self._runs().simulate(job),
            "preview": lambda job: self._runs().preview(job),
            "read": self._read,
            "volumes": lambda job: self._runs().volumes(job),
            "sample": self._sample,
            "export": self._export,
        }
        self.methods = tuple(self._methods)
        self._loaded_models: Models | None = None
        self._loaded_runs: Runs | None = None

    def run(self, job: Job) -> Result:
        """Run one job and return its result.

        Raises:
            MewmError: the request or its input cannot be used.
            Cancelled: the caller cancelled.
        """
        return self._methods[job.method](job)

    def _models(self) -> Models:
        if self._loaded_models is None:
            from mewm.exploration import Models

            self._loaded_models = Models()
        return self._loaded_models

    def _runs(self) -> Runs:
        if self._loaded_runs is None:
            from mewm.worker.runs import Runs

            self._loaded_runs = Runs(self._models())
        return self._loaded_runs

    def _describe(self, job: Job) -> Result:
        Fields(job.params, "describe").finish()
        from mewm.worker.machine import describe

        # Whoever asks will use the engine next: what a run needs is loaded now.
        self._runs()
        return describe(self._models())

    def _sample(self, job: Job) -> Result:
        from mewm.phantom import INDEX, SEED, write_phantom

        given = Fields(job.params, "sample")
        folder, seed, index = given.path("folder"), given.whole("seed", SEED), given.whole("index", INDEX)
        given.finish()
        return write_phantom(folder, seed=seed, index=index)

    def _read(self, job: Job) -> Result:
        from mewm.reports.render import suggest_protocol

        given = Fields(job.params, "read")
        text = given.text("text")
        given.finish()
        read = suggest_protocol(text)
        places = [{"name": name, "start": start, "end": end} for name, (start, end) in read.places]
        return {"protocol": read.text, "unknown": list(read.unknown), "hints": list(read.hints), "places": places}

    def _export(self, job: Job) -> Result:
        from mewm.export.write import export_protocol

        given = Fields(job.params, "export")
        pictures = []
        for item in given.items("pictures"):
            picture = Fields(item, "picture")
            pictures.append((picture.path("path"), picture.text("caption")))
            picture.finish()
        arguments = {
            "run": given.path("run"),
            "out": given.path("out"),
            "rank": given.whole("rank", None),
            "protocol_id": given.text("protocol_id", None),
            "patient_name": given.text("patient_name", ""),
            "overwrite": given.flag("overwrite"),
        }
        given.finish()
        written = export_protocol(**arguments, pictures=pictures)
        told = {"files": list(written.files), "pdf": written.page, "missing": list(written.missing)}
        return {"out": str(written.out), **told}
