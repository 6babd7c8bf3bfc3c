"""The feature index's pass as a straightforward PyTorch loop, to set beside the model's pass in index.rs.

    pip install torch transformers && python engine/steer/benches/index_torch.py

The same sizes: SmolLM2-135M, read behind block 14, an autoencoder of 4096 features of which 32 fire, texts of 128 tokens,
eight in a pass. Of every feature: how often it fires, sum, a histogram of 32 bins, and the 20 largest activations with
their places. Once as it is usually written, `model(..., output_hidden_states=True).hidden_states[15]`, which runs the whole
model, and once with the blocks behind the hook cut off, as Plumb leaves them out.
"""

import time

import torch
import transformers

torch.manual_seed(0)
WIDTH, FEATURES, FIRING, BLOCKS, ALL_BLOCKS = 576, 4096, 32, 15, 30
TEXTS, LENGTH, TOGETHER, TOP, BINS = 32, 128, 8, 20, 32

config = transformers.LlamaConfig(
    vocab_size=49152,
    hidden_size=WIDTH,
    intermediate_size=1536,
    num_hidden_layers=ALL_BLOCKS,
    num_attention_heads=9,
    num_key_value_heads=3,
    max_position_embeddings=8192,
    rope_theta=1e5,
    tie_word_embeddings=True,
)
whole = transformers.LlamaForCausalLM(config).eval()
config.num_hidden_layers = BLOCKS
cut = transformers.LlamaModel(config).eval()
w_enc, b_enc = torch.randn(WIDTH, FEATURES) * 0.05, torch.zeros(FEATURES)
texts = torch.randint(0, 40000, (TEXTS, LENGTH))


def whole_model(ids):
    return whole(ids, output_hidden_states=True).hidden_states[BLOCKS]


def cut_model(ids):
    return cut(ids).last_hidden_state


def index(stream):
    """One pass over the texts."""
    count, total = torch.zeros(FEATURES, dtype=torch.long), torch.zeros(FEATURES)
    bins = torch.zeros(FEATURES, BINS)
    best, places = torch.zeros(TOP, FEATURES), torch.zeros(TOP, FEATURES, dtype=torch.long)
    for start in range(0, TEXTS, TOGETHER):
        resid = stream(texts[start : start + TOGETHER]).reshape(-1, WIDTH)
        values, which = torch.topk(torch.relu(resid @ w_enc + b_enc), FIRING, dim=1)
        z = torch.zeros(len(resid), FEATURES).scatter_(1, which, values)
        count += (z > 0).sum(0)
        total += z.sum(0)
        bin_of = (values / values.max() * BINS).long().clamp(max=BINS - 1)
        bins.view(-1).scatter_add_(0, (which * BINS + bin_of).view(-1), (values > 0).float().view(-1))
        here = torch.arange(start * LENGTH, start * LENGTH + len(z)).unsqueeze(1).expand_as(z)
        best, order = torch.topk(torch.cat([best, z]), TOP, dim=0)
        places = torch.cat([places, here]).gather(0, order)
    return count, total, bins, best, places


with torch.no_grad():
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, f32")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for name, stream in (("whole model", whole_model), ("cut behind the hook", cut_model)):
            index(stream)
            seconds = []
            for _ in range(3):
                begin = time.perf_counter()
                index(stream)
                seconds.append(time.perf_counter() - begin)
            print(f"{threads} threads, {name}: {TEXTS * LENGTH / min(seconds):.0f} tokens/s")
