"""Operations: what happens to a model after it has shipped."""
