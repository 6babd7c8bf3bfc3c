"""How fast Hugging Face transformers decodes and prefills a network of SmolLM2-135M's sizes, to set beside decode.rs.

    pip install torch transformers && python engine/text/benches/decode_transformers.py
"""

import time

import torch
import transformers

torch.manual_seed(0)
config = transformers.LlamaConfig(
    vocab_size=49152,
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
    max_position_embeddings=8192,
    rope_theta=1e5,
    tie_word_embeddings=True,
)
model = transformers.LlamaForCausalLM(config).eval()
print(f"torch {torch.__version__}, transformers {transformers.__version__}, f32")


def best(run, rounds):
    """Seconds of the quickest of some rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def decode():
    """32 tokens, one by one, from a prompt of 32: as decode.rs has it."""
    cache = transformers.DynamicCache(config=config)
    model(torch.randint(0, 40000, (1, 32)), past_key_values=cache, use_cache=True)

    def steps():
        for token in range(32):
            model(torch.tensor([[token + 5]]), past_key_values=cache, use_cache=True)

    return best(steps, 1)


with torch.no_grad():
    prompt = torch.randint(0, 40000, (1, 512))
    for threads in (1, 2):
        torch.set_num_threads(threads)
        model(prompt[:, :32])
        seconds = min(decode() for _ in range(5))
        prefill = best(lambda: model(prompt, logits_to_keep=1), 3)
        print(f"{threads} threads: decode {32 / seconds:.1f} tokens/s, prefill of 512 {512 / prefill:.0f} tokens/s")
