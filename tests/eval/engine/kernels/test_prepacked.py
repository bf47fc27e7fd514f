"""Products through oneDNN's own layout of a weight, called as functions and as the compiler calls them."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from rmeval.eval.engine.kernels import prepacked
from rmeval.eval.engine.kernels.prepacked import PrepackedWeight, can_prepack, prepacked_linear

WEIGHT = torch.randn(24, 16, generator=torch.Generator().manual_seed(0))

pytestmark = pytest.mark.skipif(
    not can_prepack(WEIGHT, torch.bfloat16), reason="oneDNN multiplies no bfloat16 on this processor"
)


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).bfloat16()


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("how", ["plain", "swish", "factor"])
@torch.inference_mode()
def test_a_product_is_the_rounded_one(how: str, with_bias: bool) -> None:
    bias = torch.linspace(-1, 1, 24) if with_bias else None
    copy = PrepackedWeight(WEIGHT, bias, torch.bfloat16)
    states, factor = drawn(1, 5, 16), drawn(1, 5, 24) if how == "factor" else None
    found = prepacked_linear(states, WEIGHT, factor, "swish" if how == "swish" else "none", "")
    rounded_bias = None if bias is None else bias.bfloat16().double()
    expected = functional.linear(states.double(), WEIGHT.bfloat16().double(), rounded_bias)
    if how == "swish":
        expected = functional.silu(expected)
    if factor is not None:
        expected = expected * factor.double()
    assert copy.bias is None or copy.bias.dtype == torch.bfloat16
    assert found.dtype == torch.bfloat16
    # One rounding to 8 bits of the result; with a factor or an activation oneDNN may round before it as well.
    assert torch.allclose(found.double(), expected, rtol=2**-7, atol=1e-2)


def test_a_copy_lives_as_long_as_its_layer() -> None:
    weight = WEIGHT.clone()
    copy = PrepackedWeight(weight, None, torch.bfloat16)
    assert prepacked._of_weight[weight.data_ptr()] is copy
    del copy
    gc.collect()
    assert weight.data_ptr() not in prepacked._of_weight


@pytest.mark.parametrize("with_factor", [False, True])
def test_the_compiler_is_told_the_truth(with_factor: bool) -> None:
    copy = PrepackedWeight(WEIGHT, None, torch.bfloat16)
    states, factor = drawn(1, 5, 16), drawn(1, 5, 24) if with_factor else None
    registered = torch.ops.rmeval.linear.default
    result = registered(states, WEIGHT, factor, "none", "")
    with FakeTensorMode() as fake:
        given = [None if part is None else fake.from_tensor(part) for part in (states, WEIGHT, factor)]
        expected = registered(*given, "none", "")
    assert (expected.shape, expected.dtype, expected.stride()) == (result.shape, result.dtype, result.stride())
    assert torch.equal(result, prepacked_linear(states, WEIGHT, factor, "none", ""))
    assert copy.bias is None
