//! The table of words, and who answers them.

use std::collections::BTreeSet;

use stoa_realtime::{Dialect, WORDS, Way};
use stoa_testing::{each_engine, json};

each_engine! {
    async fn every_word_of_the_table_is_answered(app: TestApp) {
        let ann = app.shopper("ann").await;
        let words: BTreeSet<&str> = WORDS
            .iter()
            .filter(|word| word.way == Way::In && !matches!(word.dialect, Dialect::Lobby | Dialect::Every))
            .map(|word| word.name)
            .collect();
        let mut live = app.socketio(&ann).await;
        for (number, word) in words.into_iter().enumerate() {
            // Too many refusals close a socket.
            if number % 5 == 0 {
                live = app.socketio(&ann).await;
            }
            let answer = live.asks(word, json!(["no", "such", "payload"])).await;
            assert_eq!(answer["ok"], false, "{word}");
            assert_ne!(answer["error"]["code"], "UNKNOWN_EVENT", "{word}");
        }
        live.may_not("nonsense", json!(null), "UNKNOWN_EVENT").await;
    }
}
