//! Losses of how near embeddings are to each other.

mod cosine_embedding;
mod distance;
mod hinge_embedding;
mod info_nce;
mod margin_ranking;
mod nt_xent;
mod triplet_margin;

pub use cosine_embedding::cosine_embedding;
pub use hinge_embedding::hinge_embedding;
pub use info_nce::{InfoNceConfig, info_nce};
pub use margin_ranking::margin_ranking;
pub use nt_xent::nt_xent;
pub use triplet_margin::{TripletMarginConfig, triplet_margin, triplet_margin_with_distance};
