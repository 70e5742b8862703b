import pytest
import torch

from weights.devices import DeviceError, find_device


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_dead_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver(*_: object, **__: object) -> None:
        raise RuntimeError("Found no driver.\nMore of it.")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "empty", no_driver)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_without_a_gpu_the_cpu_computes(name: str) -> None:
    assert find_device(name) == torch.device("cpu")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps"])
def test_device_that_is_not_here_is_told(name: str) -> None:
    with pytest.raises(DeviceError, match=f"--device {name} was asked for.*use --device auto"):
        find_device(name)


@pytest.mark.parametrize("name", ["tpu", "cpu:1", "cuda:", "cuda:x", "mps:0", ""])
def test_name_of_no_device_is_told(name: str) -> None:
    with pytest.raises(DeviceError, match="must be auto, cpu, cuda, cuda:N or mps"):
        find_device(name)


@pytest.mark.usefixtures("two_dead_gpus")
def test_number_that_is_too_high_is_told() -> None:
    with pytest.raises(DeviceError, match="--device cuda:2: there are 2 here"):
        find_device("cuda:2")


@pytest.mark.usefixtures("two_dead_gpus")
@pytest.mark.parametrize("name", ["auto", "cuda:1"])
def test_device_that_fails_is_told_in_one_line(name: str) -> None:
    with pytest.raises(DeviceError) as told:
        find_device(name)
    assert "(Found no driver.); use --device cpu" in str(told.value)
    assert "\n" not in str(told.value)
