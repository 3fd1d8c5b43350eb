//! Attention layers and transformers for candle. Empty so far.
//!
//! What will be here: scaled dot-product attention, `MultiheadAttention`, encoder and decoder layers and stacks, sinusoidal
//! and learned positions, and the models `Transformer`, BERT, ViT and GPT with the parameter names of PyTorch and Hugging
//! Face.
