//! What tools do, as the panel shows it: what they used, how they are, what a limit holds up, what each attempt was.

use serde_json::{Value, json};
use swarm_model::Clock as _;
use swarm_model::time::SystemClock;
use swarm_testkit::model_server::{ModelServer, Step};

use super::{Browser, Page, link};
use crate::home::{Home, Running, eventually};

/// Starts `up` with a key for a scripted model.
fn up_with(home: &Home, model: &ModelServer) -> Running {
    let mut up = home.command(&["up", "--listen", "127.0.0.1:0"]);
    up.env("ANTHROPIC_API_KEY", "sk-scripted").env("ANTHROPIC_BASE_URL", model.url());
    let mut up = Running::start(up);
    up.wait_for("twice stops at once");
    eventually(|| home.run(&["worker", "status"]), |said| said.stdout.contains("anthropic-api"));
    up
}

/// The cells of the row with this name in the table that is summed by tools, people or machines.
async fn row(page: &Page, name: &str) -> Vec<String> {
    let cells = page
        .script(&format!(
            "const row = [...document.querySelectorAll('.usage-groups .sums tr')].find(row => \
             row.querySelector('th').innerText.trim() === {}); \
             return row && [...row.querySelectorAll('td')].map(cell => cell.innerText.trim())",
            json!(name)
        ))
        .await;
    serde_json::from_value(cells).unwrap_or_default()
}

/// A whole number as people write it.
fn thousands(n: &Value) -> String {
    let digits = n.as_i64().unwrap_or(0).to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What the page must say of these sums: runs, tokens in, tokens out and cost.
fn expected(sums: &Value) -> [String; 4] {
    let number = |name: &str| sums[name].as_i64().unwrap_or(0);
    let dollars = (number("reported_microusd") + number("priced_microusd")) as f64 / 1e6;
    let known = if dollars < 1.0 { format!("${dollars:.4}") } else { format!("${dollars:.2}") };
    let cost = match (number("reported_runs") + number("priced_runs") > 0, number("unknown_cost_runs")) {
        (true, 0) => known,
        (true, unknown) => format!("{known} + {unknown} unknown"),
        (false, 0) => "no cost".to_owned(),
        (false, unknown) => format!("{unknown} unknown"),
    };
    [thousands(&sums["runs"]), thousands(&sums["input_tokens"]), thousands(&sums["output_tokens"]), cost]
}

/// Of the cells of a row, the same four.
fn shown(cells: &[String]) -> [String; 4] {
    let cell = |n: usize| cells.get(n).cloned().unwrap_or_default();
    [cell(0), cell(2), cell(3), cells.last().cloned().unwrap_or_default()]
}

/// Every row says what the command line says.
async fn agrees(page: &Page, home: &Home, by: &str, name_of: impl Fn(&Value) -> String) {
    let report = home.json(&["usage", "--by", by]);
    let items = report["items"].as_array().unwrap();
    assert!(!items.is_empty(), "{report}");
    for item in items {
        assert_eq!(shown(&row(page, &name_of(item)).await), expected(item), "{item}");
    }
    if items.len() > 1 {
        assert_eq!(shown(&row(page, "Total").await), expected(&report["total"]), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_is_what_the_model_server_counted() {
    let home = Home::new();
    let Some(browser) = Browser::find() else { return };
    let model = ModelServer::start([Step::say("Hello from a scripted model, in a few more words.")]).await.unwrap();
    let up = up_with(&home, &model);
    browser
        .open(&home, async |page| {
            page.size(1440, 900).await;
            page.goto(&link(&up)).await;
            page.until("document.querySelector('.shell')").await;
            page.goto(&format!("{}/usage", up.url())).await;
            page.sees("Nothing ran in the last 30 days").await;
            page.fits("usage-none").await;

            let ask = |prompt: &str| {
                home.ok(&["task", "submit", "--wait", "--tool", "anthropic-api", prompt]);
            };
            ["one", "two", "three"].into_iter().for_each(ask);
            home.ok(&["task", "submit", "--wait", "--tool", "demo", "Say hello"]);

            // What ended meanwhile comes by itself.
            page.until("document.querySelectorAll('.usage-groups .sums tbody tr').length === 2").await;
            page.until("document.querySelector('.usage-groups .sums tfoot td').innerText === '4'").await;
            let counted = model.counted();
            assert!(counted.input > 0 && counted.output > 0, "{counted:?}");
            let cells = shown(&row(page, "Claude API").await);
            assert_eq!(cells[1..3], [thousands(&json!(counted.input)), thousands(&json!(counted.output))]);
            let tool = |item: &Value| match item["tool"].as_str().unwrap() {
                "anthropic-api" => "Claude API".to_owned(),
                _ => "Demo".to_owned(),
            };
            agrees(page, &home, "tool", tool).await;

            // One more, and the sums say so.
            ask("four");
            page.until("document.querySelector('.usage-groups .sums tfoot td').innerText === '5'").await;
            let counted = model.counted();
            assert_eq!(shown(&row(page, "Claude API").await)[2], thousands(&json!(counted.output)));

            page.press("Machine").await;
            page.until("location.search.includes('by=worker')").await;
            page.sees("By machine").await;
            agrees(page, &home, "worker", |item| item["machine_name"].as_str().unwrap().to_owned()).await;
            page.press("Person").await;
            page.sees("By person").await;
            agrees(page, &home, "user", |item| item["username"].as_str().unwrap().to_owned()).await;
            page.press("Model").await;
            page.sees("By model").await;
            agrees(page, &home, "model", |item| item["model"].as_str().unwrap_or("not told").to_owned()).await;
            page.press("Today").await;
            page.until("location.search.includes('span=today')").await;
            page.sees("a day of UTC").await;
            // It survives being loaded anew.
            page.client.refresh().await.unwrap();
            page.sees("By model").await;
            page.fits("usage").await;
            assert_eq!(page.console().await, [""; 0], "the console is clean");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_parked_says_until_when_and_goes_on_by_itself() {
    let home = Home::new();
    let Some(browser) = Browser::find() else { return };
    let model = ModelServer::start([Step::say("The first answer.")]).await.unwrap();
    let up = up_with(&home, &model);
    home.ok(&["task", "submit", "--wait", "--tool", "anthropic-api", "Before the limit"]);
    browser
        .open(&home, async |page| {
            page.size(1440, 900).await;
            page.goto(&link(&up)).await;
            page.until("document.querySelector('.shell')").await;
            page.goto(&format!("{}/tools", up.url())).await;
            page.sees("Claude API").await;
            page.sees("Ready on 1 of 1 machine").await;
            page.fits("tools").await;

            let resets_at = i64::try_from(SystemClock.now().as_unix_millis() / 1_000).unwrap() + 40;
            model.script([Step::quota_spent(resets_at), Step::say("It goes on.")]);
            home.ok(&["task", "submit", "--tool", "anthropic-api", "Into the limit"]);
            eventually(|| home.json(&["task", "show", "2"])["status"].clone(), |status| *status == "waiting");
            page.sees("At a limit until").await;
            page.goto(&format!("{}/tasks/2", up.url())).await;
            page.sees("Parked until").await;
            page.sees("five-hour limit on account").await;
            page.sees("goes on in").await;
            page.shot("parked").await;
            // What would hit the same wall waits for it as well.
            home.ok(&["task", "submit", "--tool", "anthropic-api", "Behind the limit"]);
            page.goto(&format!("{}/tasks", up.url())).await;
            page.sees("Parked until").await;
            page.sees("Held until").await;
            page.shot("parked-list").await;
            page.goto(&up.url()).await;
            page.sees("At a limit").await;
            page.sees("usage limit reached (limit five_hour)").await;
            page.shot("parked-home").await;

            // The limit is over: nobody does anything, and nothing says it any more.
            let all_done =
                |tasks: &Value| tasks["items"].as_array().unwrap().iter().all(|t| t["status"] == "completed");
            eventually(|| home.json(&["task", "list"]), all_done);
            page.until("!document.body.innerText.includes('At a limit')").await;
            page.until("!document.body.innerText.includes('Parked')").await;

            // What became of both attempts is told.
            page.goto(&format!("{}/tasks/2", up.url())).await;
            page.until("document.querySelectorAll('.attempt').length === 2").await;
            page.script("document.querySelectorAll('.attempt').forEach(one => one.open = true)").await;
            for words in
                ["Parked: allowance used up", "usage limit reached", "Completed", "Tokens", "Cost", "First word"]
            {
                page.sees(words).await;
            }
            page.fits("attempts").await;
            assert_eq!(page.console().await, [""; 0], "the console is clean");
        })
        .await;
}

#[tokio::test]
async fn every_wish_is_sent_or_said_to_be_wrong() {
    let home = Home::new();
    let Some(browser) = Browser::find() else { return };
    let up = home.up(&[]);
    home.ok(&["task", "submit", "--wait", "Say hello"]);
    browser
        .open(&home, async |page| {
            page.size(1440, 900).await;
            page.goto(&link(&up)).await;
            page.until("document.querySelector('.shell')").await;
            page.press("New task").await;
            page.write("dialog[open] #prompt", "Mend the parser").await;
            page.script("document.querySelector('dialog[open] .more').open = true").await;
            page.write("#list", "demo\nNo Tool").await;
            page.write("#base", "main").await;
            page.write("#tokens", "many").await;
            page.write("#cost", "0").await;
            page.press("Submit").await;
            page.sees_at("list", "Line 2").await;
            page.sees_at("base", "This needs a repository").await;
            page.sees_at("tokens", "a whole number from 1").await;
            page.sees_at("cost", "above 0").await;
            page.until("document.activeElement.id === 'list'").await;
            page.fits("wishes-refused").await;

            page.rewrite("#list", "demo\nollama:qwen3:8b").await;
            page.rewrite("#tokens", "200k").await;
            page.rewrite("#cost", "2.50").await;
            page.write("#repository", "https://example.org/parser.git").await;
            page.write("#allowed-models", "qwen3:8b").await;
            page.script(
                "const network = document.querySelector('#network'); network.value = 'some'; \
                 network.dispatchEvent(new Event('change', { bubbles: true }))",
            )
            .await;
            page.write("#hosts", "example.org *.crates.io").await;
            page.fits("wishes").await;
            page.press("Submit").await;
            page.sees("Task 2 is submitted").await;
            let task = home.json(&["task", "show", "2"]);
            assert_eq!(task["cascade"], json!([{"tool": "demo"}, {"tool": "ollama", "model": "qwen3:8b"}]));
            assert_eq!(task["repository"], json!({"url": "https://example.org/parser.git", "base": "main"}));
            assert_eq!(task["network"], json!(["example.org", "*.crates.io"]));
            let limits = json!({"tokens": 200_000, "cost_microusd": 2_500_000, "models": ["qwen3:8b"]});
            assert_eq!(task["limits"], limits);
            assert_eq!(page.console().await, [""; 0], "the console is clean");
        })
        .await;
}
