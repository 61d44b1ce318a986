//! The models that the fuzz target `h1_differential` compares our machine with, on the corpus: so that they are known to be
//! right about what is written there before they are asked about anything else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs
)]

#[path = "../fuzz/models/mod.rs"]
mod models;

use gateway_tests::corpus::all;

/// What only the limits on sizes decide; the models know those alone that inputs of the fuzz target can reach.
const LIMITS: [&str; 12] = [
    "http_22_query_of_20000_bytes",
    "http_22_target_of_8193_bytes",
    "http_22_target_without_an_end",
    "http_65_a_name_of_66000_bytes",
    "http_65_a_value_of_66000_bytes",
    "http_65_a_value_without_an_end",
    "http_93_extension_of_17000_bytes",
    "http_93_extension_without_an_end",
    "http_93_extensions_of_many_chunks",
    "http_96_trailers_of_9000_bytes",
    "http_96_trailers_without_an_end",
    "http_21_method_without_an_end",
];

#[test]
fn our_machine_and_both_models_agree_about_the_corpus() {
    for case in all() {
        if LIMITS.contains(&case.id.as_str()) {
            continue;
        }
        let input = case.input();
        let agreed = std::panic::catch_unwind(|| models::compare(&input, input.chunks(7)));
        assert!(agreed.is_ok(), "they differ about {}", case.id);
    }
}

#[test]
fn the_strict_model_refuses_and_takes_what_the_corpus_says() {
    for case in all().iter().filter(|case| !LIMITS.contains(&case.id.as_str())) {
        let reading = models::strict::read(&case.input());
        assert_eq!(reading.end == models::End::Refused, case.error.is_some(), "{}", case.id);
    }
}
