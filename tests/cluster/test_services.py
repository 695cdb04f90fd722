from __future__ import annotations

from types import SimpleNamespace

import pytest

from cluster.services import replaced


def test_a_function_is_replaced_and_comes_back_even_after_an_error() -> None:
    owner = SimpleNamespace(answer=lambda: 1)

    def fail_inside() -> None:
        with replaced(owner, "answer", lambda: 2):
            assert owner.answer() == 2
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail_inside()
    assert owner.answer() == 1


def test_another_version_of_ray_may_lack_the_function() -> None:
    owner = SimpleNamespace()
    with replaced(owner, "answer", lambda: 2):
        assert not hasattr(owner, "answer")
    assert not hasattr(owner, "answer")
