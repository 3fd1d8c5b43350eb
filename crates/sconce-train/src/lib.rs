//! A training loop for candle: fit, evaluate, predict.
