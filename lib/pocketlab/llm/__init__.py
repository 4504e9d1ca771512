"""Language models small enough for a phone: model, tokenizer, cache, decoding, weights."""
