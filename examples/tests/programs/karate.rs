use crate::{fails, figure, printed, program, smoke};

const KARATE: &str = program!("karate");

#[test]
fn two_members_give_away_all_others() {
    for seed in ["0", "1", "2", "3", "4"] {
        let first = printed(KARATE, &["--seed", seed]);
        assert!(figure(&first, "test accuracy") >= 0.94, "seed {seed}: {first}");
        assert_eq!(first, printed(KARATE, &["--seed", seed]));
        assert!(first.contains("34 members, 78 friendships"), "{first}");
    }
}

#[test]
fn the_embedding_is_drawn() {
    assert_eq!(smoke(KARATE, &["karate.png"]).1, [(1140, 760)]);
}

#[test]
fn what_is_wrong_is_one_line() {
    fails(KARATE, &["--smoke", "--lr", "0"], "at least 0.94 was expected");
    fails(KARATE, &["--hidden", "0"], "out_features is 0");
    fails(KARATE, &["--lr=-1"], "lr is -1");
    fails(KARATE, &["--device", "gpu"], "unknown device");
}
