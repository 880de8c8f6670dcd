//! Reads quotes through the generated client: program URL FROM
use booktape_client::apis::collector_api::symbol_stats;
use booktape_client::apis::configuration::Configuration;
use booktape_client::apis::market_data_api::{latest_quote, list_quotes, LatestQuoteError};
use booktape_client::apis::Error;
use url::Url;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let base = Url::parse(&arguments[1]).unwrap();
    let from = Some(arguments[2].as_str());
    let mut server = Configuration::new();
    server.base_path = arguments[1].clone();

    let quote = latest_quote(&server, "BTCUSDT", None, None).await.unwrap();
    println!("mid {}", quote.mid.unwrap());

    let mut cursor: Option<String> = None;
    loop {
        let page = list_quotes(
            &server,
            "BTCUSDT",
            None,
            from,
            None,
            Some(2),
            cursor.as_deref(),
            None,
            None,
        )
        .await
        .unwrap();
        let ids = page
            .rows
            .iter()
            .map(|row| row.update_id.unwrap().to_string());
        println!("ids {}", ids.collect::<Vec<_>>().join(" "));
        let Some(next) = page.next else { break };
        let url = base.join(&next).unwrap();
        cursor = url
            .query_pairs()
            .find(|(name, _)| name == "cursor")
            .map(|(_, text)| text.into());
    }

    let stats = symbol_stats(&server).await.unwrap();
    println!("seconds {}", stats.symbols[0].last_update.unwrap());

    match latest_quote(&server, "NOSUCH", None, None).await {
        // The generator takes the first variant that fits: all have the same type.
        Err(Error::ResponseError(answer)) => match answer.entity {
            Some(LatestQuoteError::Status400(problem)) => {
                println!("problem {} {}", answer.status.as_u16(), problem._type)
            }
            other => panic!("not a problem document: {other:?}"),
        },
        other => panic!("not an error: {other:?}"),
    }
}
