from __future__ import annotations

import gc

import pytest

from cluster.imports import imports_kept


def test_imports_are_kept_out_of_the_search_for_garbage() -> None:
    frozen = gc.get_freeze_count()
    try:
        with imports_kept():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
        with pytest.raises(ModuleNotFoundError), imports_kept():
            raise ModuleNotFoundError("torch")
        assert gc.isenabled()
    finally:
        gc.unfreeze()
