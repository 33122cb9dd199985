"""Hardware: missing devices are named, and a run that cannot be compiled goes on without."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._dynamo.exc import BackendCompilerFailed

from pipeline.errors import Halt
from pipeline.params import Train
from pipeline.training.hardware import Hardware, compile_network, halt_on_full_memory, launch_fabric


@pytest.fixture
def gpu(monkeypatch):
    """Pretend that there is one GPU, without bfloat16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)


def test_too_many_gpus_are_refused(gpu):
    with pytest.raises(Halt, match="there are 1 GPUs, not 8: lower --devices"):
        launch_fabric(Hardware("cuda", devices=8), "32")


def test_a_precision_that_the_gpu_lacks_is_refused(gpu):
    with pytest.raises(Halt, match=r"no bfloat16: set train\.precision to 32 or tf32"):
        launch_fabric(Hardware("cuda"), "bf16")


def test_graphs_without_compilation_for_a_gpu_are_refused(gpu):
    for hardware in (Hardware(graphs=True), Hardware("cuda", compile=False, graphs=True)):
        with pytest.raises(Halt, match="--graphs replays what is compiled for a GPU"):
            launch_fabric(hardware, "32")


def test_a_run_starts_without_the_libraries_of_evaluation():
    code = (
        "import sys; from pipeline.training.hardware import CPU, launch_fabric; launch_fabric(CPU, '32');"
        "print(*{'torchmetrics', 'torchvision', 'scipy'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", code]
    home = Path(__file__).parents[2]
    assert subprocess.run(command, cwd=home, capture_output=True, text=True, check=True).stdout == "\n"


def test_another_number_of_processes_than_asked_for_is_refused(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "run", "WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Halt, match="torchrun started 4 processes, but --devices times --nodes is 2"):
        launch_fabric(Hardware(devices=2), "32")


@pytest.mark.parametrize(("precision", "fewer"), [("tf32", True), ("bf16", True), ("32", False)])
def test_32_bits_are_32_bits_unless_fewer_are_asked_for(precision, fewer):
    launch_fabric(Hardware(), precision)
    assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is fewer


def compilers(monkeypatch, compile):
    """Replace torch.compile, and note how it is called."""
    calls = []
    monkeypatch.setattr(torch, "compile", lambda plain, **given: calls.append(given) or compile(plain))
    return calls


def test_a_network_that_cannot_be_compiled_trains_without_and_says_so_once(monkeypatch):
    def fails(*given):
        raise BackendCompilerFailed("inductor", FileNotFoundError("g++"), None)

    compilers(monkeypatch, lambda plain: fails)
    network, said = nn.Linear(2, 2), []
    expected = network(torch.ones(1, 2))
    compile_network(network, Hardware(), said.append)
    for _ in range(3):
        assert torch.equal(network(torch.ones(1, 2)), expected)
    assert said == [
        "torch.compile failed (FileNotFoundError): training goes on without it, as with --no-compile"
    ]


def test_an_error_of_the_network_itself_is_not_taken_for_one_of_the_compiler(monkeypatch):
    compilers(monkeypatch, lambda plain: plain)
    network, said = nn.Linear(2, 2), []
    compile_network(network, Hardware(), said.append)
    with pytest.raises(RuntimeError, match="shapes"):
        network(torch.ones(1, 3))
    assert said == []


def test_only_training_is_compiled_and_graphs_are_replayed_on_request(monkeypatch):
    network, runs = nn.Linear(2, 2), []
    calls = compilers(monkeypatch, lambda plain: lambda *given: runs.append(1) or plain(*given))
    compile_network(network, Hardware(graphs=True), print)
    network(torch.ones(1, 2))
    network.eval()
    network(torch.ones(1, 2))
    assert len(runs) == 1
    assert calls == [{"dynamic": False, "mode": "reduce-overhead"}]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_out_of_memory_halts_with_advice(error):
    sentence = r"64 samples per update in 2 part\(s\): raise accumulate, lower batch"
    with pytest.raises(Halt, match=sentence), halt_on_full_memory(Train(batch=64, accumulate=2)):
        raise error


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    with pytest.raises(RuntimeError, match="shapes"), halt_on_full_memory(Train()):
        raise RuntimeError("shapes do not fit")


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(monkeypatch):
    plain, fast = (nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()) for _ in range(2))
    fast.load_state_dict(plain.state_dict())
    said = []
    compile_network(fast, Hardware(), said.append)
    image = torch.rand(2, 1, 16, 16)
    for network in (plain, fast):
        network(image).square().mean().backward()
    assert said == []
    torch.testing.assert_close(fast[0].weight.grad, plain[0].weight.grad)
    torch.testing.assert_close(fast[1].running_mean, plain[1].running_mean)
