"""The model under test: described without its weights, then loaded once a setting."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch

from rmeval.bench.plan import Sweep
from rmeval.bench.shape import Shape
from rmeval.bench.subjects.configured import find_config, load_config, markers, random_model, shape_of
from rmeval.bench.subjects.quantize import to_int8
from rmeval.bench.subjects.rows import RequestRow, Texts, made_up_rows
from rmeval.bench_info import Setting
from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded, Encoder
from rmeval.data_prep.text.max_length import usable_length
from rmeval.data_prep.text.template import load_template
from rmeval.errors import ModelError, RmevalError
from rmeval.eval.engine.engine import Engine
from rmeval.eval.engine.execute import out_of_memory
from rmeval.eval.engine.packed import Values
from rmeval.eval.engine.precision import Precision
from rmeval.eval.models.folder import ModelFolder, locate
from rmeval.eval.models.loading import described, load_model, load_tokenizer, skeleton, template_day
from rmeval.eval.models.outputs import head_of
from rmeval.eval.models.padding import padding_of
from rmeval.eval.suites.data import DataOptions, load_dataset
from rmeval.eval.suites.pairs import PAIRS
from rmeval.run_info import Accounting


class DoesNotFitError(Exception):
    """Memory ran out: a result, not an error."""


class Subject(Protocol):
    """A model as one setting runs it."""

    @property
    def path(self) -> str:
        """How it computes: ``packed``, ``packed-compiled``, ``plain``."""
        ...

    def request(self, rows: Sequence[RequestRow]) -> tuple[Values, Accounting]:
        """Score the rows of one request, in one pass; scores are float64 of shape (rows,).

        Raises:
            DoesNotFitError: if memory is short.
            ModelError: if it cannot run like this.
        """
        ...


class Subjects(Protocol):
    """Where subjects come from."""

    @property
    def path(self) -> str:
        """The model's folder, or what stands for it; the pipeline is made of it."""
        ...

    @property
    def shape(self) -> Shape:
        """The model's."""
        ...

    @property
    def texts(self) -> Texts | None:
        """The rows of the data set; None where conversations cannot be encoded."""
        ...

    def rows(self, batch_size: int, length: int | None) -> list[RequestRow]:
        """Return the rows of a request: of an exact length, or for None of the data set."""
        ...

    def load(self, setting: Setting) -> Subject:
        """Load the model.

        Raises:
            DoesNotFitError: if memory is short.
            ModelError: if it cannot be loaded like this.
        """
        ...


class ModelSubjects:
    """A model folder, a Hub model, or a configuration alone.

    Raises:
        DataError: if the data set cannot be read.
        ModelError: if the model cannot be used.
    """

    def __init__(self, sweep: Sweep, device: torch.device) -> None:
        self._sweep, self._device = sweep, device
        self._folder: ModelFolder | None = None
        if sweep.random:
            self._path = find_config(sweep.model, sweep.options.revision)
            self._skeleton = skeleton(sweep.model, load_config(sweep, self._path))
        else:
            options = sweep.options
            self._folder = locate(
                sweep.model,
                revision=options.revision,
                allow_pickle=options.allow_pickle,
                trust_remote_code=options.trust_remote_code,
            )
            self._path = self._folder.path
            self._skeleton = described(self._folder, options)
        self._config = self._skeleton.config
        self._shape = shape_of(self._skeleton)
        self._tokenizer_pad: int | None = None
        self._avoid = markers(self._config)
        eos = self._config.eos_token_id if self._config.is_encoder_decoder else None
        self._last: int | None = eos[0] if isinstance(eos, list) else eos
        self.why_no_texts: str | None = "random weights decide nothing" if sweep.random else None
        """Why no decisions can be compared; None where they can."""
        self._texts = None if self._folder is None else self._load_texts(self._folder)

    @property
    def path(self) -> str:
        """The model's folder; its configuration where weights are made up."""
        return str(self._path)

    @property
    def shape(self) -> Shape:
        """The model's."""
        return self._shape

    @property
    def texts(self) -> Texts | None:
        """The rows of the data set, ``mini`` if none was named."""
        return self._texts

    def rows(self, batch_size: int, length: int | None) -> list[RequestRow]:
        """Return the rows of a request."""
        if length is not None:
            return made_up_rows(self._shape.vocabulary, self._avoid, batch_size, length, last=self._last)
        if self._texts is None:
            raise ModelError(f"the rows of {self._sweep.dataset} cannot be encoded: {self.why_no_texts}")
        return self._texts.request(batch_size)

    def load(self, setting: Setting) -> Subject:
        """Load the model as a setting asks for it."""
        gc.collect()
        try:
            return self._load(setting)
        except (RuntimeError, MemoryError, ModelError) as error:
            if out_of_memory(error):
                raise DoesNotFitError("the weights do not fit into memory") from None
            raise

    def _load(self, setting: Setting) -> Subject:
        low = "float32" if setting.dtype == "int8" else setting.dtype
        options = replace(
            self._sweep.options,
            dtype=low,
            attn_implementation=None if setting.attention == "auto" else setting.attention,
        )
        dtype: torch.dtype = getattr(torch, low)
        audit = Audit()
        if self._folder is None:
            model, precision = random_model(self._config, options.attn_implementation, dtype, self._device)
        else:
            model, precision, _ = load_model(self._folder, options, dtype, self._device, audit)
        if setting.dtype == "int8":
            to_int8(model.base_model)
            # What flows between the layers stays float32; the engine must not hold int8 to float32's bound.
            precision = Precision(torch.bfloat16, own=torch.bfloat16)
        batch_size = max(self._sweep.batch_sizes)  # A request has no more rows: each is one pass.
        engine = Engine(
            model,
            precision,
            pad_token_id=padding_of(model, self._tokenizer_pad).fills,
            batch_size=batch_size,
            journal=None,
            context="",
            audit=audit,
            fast=options.attn_implementation is None,
            compile="on" if setting.compile == "on" else "off",
        )
        return LoadedModel(engine, audit, batch_size)

    def _load_texts(self, folder: ModelFolder) -> Texts | None:
        """Load the named set; a model without tokenizer or template can still be timed on made-up tokens."""
        sweep = self._sweep
        options = sweep.options
        data = load_dataset(PAIRS, DataOptions(dataset=sweep.dataset or "mini", split=sweep.split))
        try:
            tokenizer = load_tokenizer(folder, options)
            self._tokenizer_pad = tokenizer.pad_token_id
            head = head_of(folder, options)
            template = load_template(tokenizer, options.chat_template, None if head is None else head.template)
            own, gate = (None, None) if head is None else (head.max_length, head.gate)
            limit = usable_length(self._shape.limit, tokenizer.model_max_length, options.max_length, own=own)
            padding = padding_of(self._skeleton, tokenizer.pad_token_id)
            encoder = Encoder(tokenizer, template, limit, padding.read_before, template_day(options), gate=gate)
            self._avoid = {*self._avoid, *tokenizer.all_special_ids}
            return Texts.of(data.info.dataset, tokenizer, encoder, data.examples)
        except ModelError as error:
            if sweep.dataset or sweep.against:
                raise
            self.why_no_texts = str(error)
            return None


class LoadedModel:
    """A model in memory, behind the engine that scores with it."""

    def __init__(self, engine: Engine, audit: Audit, batch_size: int) -> None:
        self._engine, self._audit, self._batch_size = engine, audit, batch_size

    @property
    def path(self) -> str:
        """How it computes."""
        found = [each.examples for each in self._audit.findings() if each.code == "not-compiled"]
        path = self._engine.path
        if self._batch_size == 1:  # One at a time is what was asked for.
            path = path.removesuffix("-single")
        return "packed (not compiled)" if found and path.startswith("packed") else path.removesuffix("-compiled")

    @property
    def why_plain(self) -> str | None:
        """Why the fast path is not used; None where it is."""
        return self._engine.why_plain

    def request(self, rows: Sequence[RequestRow]) -> tuple[Values, Accounting]:
        """Score the rows of one request."""
        encoded: list[Encoded] = [row.encoded for row in rows if row.encoded is not None]
        try:
            scored = self._engine.score(encoded, self._in_one_pass if self._one_pass(rows) else None)
        except (RuntimeError, MemoryError, RmevalError) as error:
            if out_of_memory(error):
                raise DoesNotFitError("one conversation does not fit into memory") from None
            if isinstance(error, RuntimeError):  # Torch's, for what this device or dtype cannot do.
                reason = " ".join(str(error).split())[:200]
                raise ModelError(f"the model cannot run like this: {reason}") from None
            raise
        return scored.values, scored.accounting

    def _one_pass(self, rows: Sequence[RequestRow]) -> bool:
        """True for a request; a sample for the fidelity may be longer, and take as many passes as it needs."""
        return len(rows) <= self._batch_size

    def _in_one_pass(self, done: int, total: int) -> None:
        """Stop where the engine has halved a request for want of memory: that is not the batch that was asked for.

        A model that the engine takes one at a time, which its first request may show, has as many passes as rows.
        """
        if done < total and self._engine.path != "plain-single":
            raise DoesNotFitError("the request does not fit into memory in one pass")
