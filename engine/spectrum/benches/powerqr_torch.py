"""PowerQR with PyTorch's automatic differentiation, the paper's own route, beside `resnet18.rs`.

    PLUMB_WEIGHTS=/tmp/weights cargo bench -p plumb-spectrum --bench resnet18 -- krylov
    python engine/spectrum/benches/powerqr_torch.py --weights /tmp/weights [--threads 2] [--seed 0]

Needs torch. For each of the 20 convolutions of a ResNet-18 in its CIFAR form (32 x 32 inputs, the weights that the
other benchmark wrote, or without a file PyTorch's default random ones): four vectors, shift 1, until each of the four
estimates is right to 1e-3. The right values are taken beforehand, untimed, by block Lanczos. Prints seconds and steps.
"""

import argparse
import os
import time

import torch
import torch.nn.functional as functional

ACCURACY = 1e-3
WANTED = 4
MOST_STEPS = 5000
BLOCK, BLOCKS = 8, 40


def convolutions():
    """(channels in, channels out, pixels, stride, taps), in the order of the network."""
    yield 3, 64, 32, 1, 3
    inputs, pixels = 64, 32
    for outputs, stride in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        yield inputs, outputs, pixels, stride, 3
        if stride == 2:
            yield inputs, outputs, pixels, stride, 1
            pixels //= 2
        for _ in range(3):
            yield outputs, outputs, pixels, 1, 3
        inputs = outputs


def normal_product(layer, block):
    """The rows of `block` times M^T M: the gradient of half the squared norm of the output."""
    block = block.requires_grad_(True)
    output = layer(block)
    (gradient,) = torch.autograd.grad(0.5 * output.square().sum(), block)
    return gradient.detach()


def right_values(layer, shape):
    """The top singular values, by block Lanczos with full reorthogonalisation."""
    size = shape[0] * shape[1] * shape[2]
    block = torch.linalg.qr(torch.randn(size, BLOCK))[0]
    basis = torch.empty(size, 0)
    images = torch.empty(size, 0)
    for _ in range(BLOCKS):
        basis = torch.cat([basis, block], 1)
        image = normal_product(layer, block.T.reshape(BLOCK, *shape).contiguous()).reshape(BLOCK, size).T
        images = torch.cat([images, image], 1)
        for _ in range(2):
            image = torch.linalg.qr(image - basis @ (basis.T @ image))[0]
        block = image
    projected = (basis.T @ images).double()
    return torch.linalg.eigvalsh(0.5 * (projected + projected.T)).flip(0).clamp(min=0).sqrt()[:WANTED]


def power_qr(layer, shape, right):
    """Steps and seconds until every estimate is right."""
    block = torch.randn(WANTED, *shape)
    started = time.perf_counter()
    for step in range(1, MOST_STEPS + 1):
        shifted = block.detach() + normal_product(layer, block)
        factor, triangle = torch.linalg.qr(shifted.reshape(WANTED, -1).T)
        estimates = (triangle.diagonal().abs() - 1).clamp(min=0).sqrt().sort(descending=True).values
        if ((estimates - right) / right).abs().max() <= ACCURACY:
            break
        block = factor.T.reshape(WANTED, *shape).contiguous()
    return step, time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", help="32-bit floats, layer after layer")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    weights = torch.from_file(arguments.weights, size=os.path.getsize(arguments.weights) // 4) if arguments.weights else None
    total_steps, total_seconds = 0, 0.0
    for inputs, outputs, pixels, stride, taps in convolutions():
        layer = torch.nn.Conv2d(inputs, outputs, taps, stride=stride, padding=taps // 2, bias=False)
        layer.requires_grad_(False)
        if weights is not None:
            layer.weight.copy_(weights[: layer.weight.numel()].reshape(layer.weight.shape))
            weights = weights[layer.weight.numel() :]
        shape = (inputs, pixels, pixels)
        right = right_values(layer, shape).float()
        steps, seconds = power_qr(layer, shape, right)
        total_steps += steps
        total_seconds += seconds
        print(f"{inputs:>3} -> {outputs:<3} {taps}x{taps} /{stride} @{pixels:<2}  {steps:>5} steps  {seconds:7.3f} s", flush=True)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads: {total_steps} steps, {total_seconds:.1f} s")


if __name__ == "__main__":
    main()
