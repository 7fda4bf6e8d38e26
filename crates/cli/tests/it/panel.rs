//! The panel in a real browser: what a person sees and does on the first day.

mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use swarm_client::{Client as Person, Coordinator};
use swarm_proto::auth::{CreateInvitation, Login, SessionKind};

use crate::account::with_input;
use crate::home::{Home, PATIENCE, Running};

/// A browser and the driver that commands it, not started yet.
struct Browser {
    program: PathBuf,
    driver: PathBuf,
}

/// What the page wrote into its console.
#[derive(Debug)]
struct ConsoleLog;

/// A command of the browser's own protocol.
#[derive(Debug)]
struct DevTools(&'static str, Value);

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "cmd": self.0, "params": self.1 }).to_string()))
    }
}

impl Browser {
    /// `None`, and a word on why, where there is none.
    fn find() -> Option<Self> {
        let part = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let parts = part("GARAGESWARM_TEST_CHROMIUM").zip(part("GARAGESWARM_TEST_CHROMEDRIVER"));
        if parts.is_none() {
            println!(
                "left out: a browser (apt-get install chromium chromium-driver, then set GARAGESWARM_TEST_CHROMIUM \
                 and GARAGESWARM_TEST_CHROMEDRIVER to their paths)"
            );
        }
        parts.map(|(program, driver)| Self { program, driver })
    }

    /// Does it in a window with an empty profile. The browser ends in any case: it would outlive its driver.
    async fn open(self, home: &Home, story: impl AsyncFnOnce(&Page)) {
        let mut command = Command::new(&self.driver);
        command.arg("--port=0");
        let mut driver = Running::start(command);
        driver.wait_for("started successfully on port ");
        let said = driver.stdout();
        let port = said.split("started successfully on port ").nth(1).unwrap();
        let port: u16 = port.split('.').next().unwrap().trim().parse().unwrap();
        let profile = format!("--user-data-dir={}", home.path("browser").display());
        let capabilities = json!({
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": self.program,
                // Its own sandbox does not work for root, as whom machines of this kind run everything.
                "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", profile],
            },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(Capabilities::from(capabilities))
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();

        let page = Page { client: client.clone() };
        let told = std::panic::AssertUnwindSafe(story(&page)).catch_unwind().await;
        if told.is_err() {
            page.shot("failed").await;
            println!("{}\n{:?}", page.text().await, page.console().await);
        }
        client.close().await.unwrap();
        told.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
}

/// What a person can do in the window.
struct Page {
    client: Client,
}

impl Page {
    async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    async fn text(&self) -> String {
        self.script("return document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the expression is true.
    async fn until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.script(&format!("return Boolean({expression})")).await != json!(true) {
            assert!(Instant::now() < deadline, "never true: {expression}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page says this.
    async fn sees(&self, words: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(words))).await;
    }

    /// Presses the visible button or link with this label; while a dialog is open, one in it.
    async fn press(&self, label: &str) {
        let found = format!(
            "[...(document.querySelector('dialog[open]') ?? document).querySelectorAll('button, a')]\
             .find(one => one.innerText.trim().startsWith({}) && one.checkVisibility() && !one.disabled)",
            json!(label)
        );
        self.until(&found).await;
        self.script(&format!("{found}.click()")).await;
    }

    /// Presses a key of the whole page.
    async fn key(&self, key: char) {
        let keys = KeyActions::new("keys".to_owned());
        let keys = keys.then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key });
        self.client.perform_actions(keys).await.unwrap();
    }

    async fn write(&self, selector: &str, text: &str) {
        let field = self.client.wait().for_element(Locator::Css(selector)).await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    async fn devtools(&self, command: &'static str, params: Value) {
        self.client.issue_cmd(DevTools(command, params)).await.unwrap();
    }

    async fn size(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    async fn scheme(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Warnings and errors since the last call.
    async fn console(&self) -> Vec<String> {
        let entries = self.client.issue_cmd(ConsoleLog).await.unwrap();
        let entries = entries.as_array().cloned().unwrap_or_default();
        let bad = entries.iter().filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")));
        bad.map(|entry| entry["message"].to_string()).collect()
    }

    /// Selects what stands in a field and writes over it, as a person does.
    async fn rewrite(&self, selector: &str, text: &str) {
        const BACKSPACE: &str = "\u{e003}";
        let field = self.client.wait().for_element(Locator::Css(selector)).await.unwrap();
        self.script(&format!("document.querySelector({}).select()", json!(selector))).await;
        field.send_keys(if text.is_empty() { BACKSPACE } else { text }).await.unwrap();
    }

    /// What stands in a field.
    async fn value(&self, selector: &str) -> String {
        let found = self.script(&format!("return document.querySelector({}).value", json!(selector))).await;
        found.as_str().unwrap().to_owned()
    }

    /// Waits until the error at a field says this.
    async fn sees_at(&self, id: &str, words: &str) {
        let below = format!("document.getElementById('{id}-below')");
        self.until(&format!("{below} && {below}.innerText.includes({})", json!(words))).await;
    }

    /// Keeps pictures of the page as it is, in every size and scheme; none is wider than the window.
    async fn fits(&self, name: &str) {
        for (width, height) in [(1440, 900), (768, 1024), (360, 780)] {
            self.size(width, height).await;
            for scheme in ["dark", "light"] {
                self.scheme(scheme).await;
                self.shot(&format!("{name}-{scheme}-{width}")).await;
            }
            let wide = self.script("return document.documentElement.scrollWidth").await;
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{name} is {wide} wide on {width}");
        }
        self.size(1440, 900).await;
    }

    /// The console is clean, but for a visit without a session: then the browser writes down the refusal.
    async fn is_clean_for_a_stranger(&self) {
        let bad: Vec<_> = self.console().await.into_iter().filter(|line| !line.contains("/auth/refresh")).collect();
        assert_eq!(bad, [""; 0], "the console is clean");
    }

    /// Keeps a picture, to be looked at.
    async fn shot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panel");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), self.client.screenshot().await.unwrap()).unwrap();
    }
}

/// The link that signs a browser in.
fn link(up: &Running) -> String {
    let said = up.stdout();
    said.split_whitespace().find(|word| word.contains("/signin#")).unwrap().to_owned()
}

#[tokio::test]
async fn a_person_signs_in_submits_watches_and_loses_nothing() {
    let home = Home::new();
    let Some(browser) = Browser::find() else { return };
    let up = home.up(&[]);
    let (link, listen) = (link(&up), up.listen());
    browser
        .open(&home, async |page| {
            page.size(1440, 900).await;
            page.goto(&link).await;
            page.press("Run the demonstration").await;
            page.sees("This is a demonstration: no AI model is at work here").await;
            page.shot("first-run").await;
            let address = page.script("return location.href").await;
            assert!(!address.as_str().unwrap().contains("gs_link"), "the link's secret leaves the address: {address}");

            page.press("Go to Home instead").await;
            page.sees("machine is ready").await;
            page.key('n').await;
            page.write("dialog[open] #prompt", "Tell me about leases").await;
            page.press("Submit").await;
            page.sees("Tell me about leases").await;
            page.goto(&format!("http://{listen}/tasks/2")).await;
            page.sees("What you see is real nevertheless").await;
            page.shot("running").await;
            assert_eq!(page.console().await, [""; 0], "the console is clean");

            // Whatever dies, the page goes on.
            up.kill();
            page.sees("Reconnecting").await;
            page.shot("reconnecting").await;
            let up = home.up_at(&listen, &[]);
            page.until("document.querySelector('.state-line .state.done')").await;
            page.sees("attempt 2").await;
            page.shot("done").await;
            drop(up);
        })
        .await;
}

#[tokio::test]
async fn every_page_fits_a_phone_and_both_schemes() {
    let home = Home::new();
    let Some(browser) = Browser::find() else { return };
    let up = home.up(&[]);
    let long = "a-word-without-any-room-to-break-".repeat(12);
    let failing = ["task", "submit", "--wait", "--tool", "command", "--max-attempts", "1", "--", "sh", "-c"];
    home.run(&[&failing[..], &[&format!("echo {long}; exit 3")]].concat());
    home.ok(&["task", "submit", "--wait", "Say hello"]);
    browser
        .open(&home, async |page| {
            page.goto(&link(&up)).await;
            page.until("document.querySelector('.shell')").await;
            for (name, path) in [
                ("home", "/"),
                ("tasks", "/tasks"),
                ("task", "/tasks/1"),
                ("workers", "/workers"),
                ("registry", "/tools"),
                ("sums", "/usage"),
                ("own", "/account"),
            ] {
                page.goto(&format!("{}{path}", up.url())).await;
                page.until("document.querySelector('.shell h1')").await;
                page.fits(name).await;
            }
            assert_eq!(page.console().await, [""; 0], "the console is clean");
        })
        .await;
}

/// A coordinator that nobody owns, and the link that makes its owner.
fn serve(home: &Home) -> (Running, String) {
    let mut serve = Running::start(home.command(&["serve", "--listen", "127.0.0.1:0"]));
    serve.wait_for("--invitation ");
    let said = serve.stdout();
    let link = said.split_whitespace().find(|word| word.contains("/register#gs_setup_")).unwrap().to_owned();
    (serve, link)
}

/// Somebody who signs in beside the browser.
async fn person(serve: &Running, username: &str, password: &str) -> Person {
    let login = Login { username: username.to_owned(), password: password.to_owned(), kind: SessionKind::Cli };
    let coordinator = Coordinator::at(serve.url().parse().unwrap()).unwrap();
    coordinator.login(&login).await.unwrap().0
}

/// Makes the first account in the browser.
async fn own(page: &Page, link: &str) {
    page.goto(link).await;
    page.write("#username", "grace").await;
    page.write("#password", "correct horse battery").await;
    page.press("Become the owner").await;
    page.until("document.querySelector('.shell')").await;
}

#[tokio::test]
async fn the_first_owner_comes_in_and_keeps_an_account() {
    let home = Home::new();
    let Some(browser) = Browser::find() else { return };
    let (serve, link) = serve(&home);
    browser
        .open(&home, async |page| {
            page.size(1440, 900).await;
            page.goto(&link).await;
            page.sees("You become the owner of this swarm").await;
            let address = page.script("return location.href").await;
            assert!(!address.as_str().unwrap().contains("gs_setup"), "the token leaves the address: {address}");
            page.fits("owner").await;

            // What is wrong stands at its field, which gets the focus; what was written stays.
            page.write("#username", "grace").await;
            page.write("#password", "short").await;
            page.sees_at("password", "five more").await;
            page.write("#email", "grace").await;
            page.press("Become the owner").await;
            page.sees_at("password", "Too short: 5 characters more").await;
            page.sees_at("email", "This is not an address").await;
            page.until("document.activeElement.id === 'password'").await;
            assert_eq!(page.value("#username").await, "grace");
            page.press("Show").await;
            page.until("document.querySelector('#password').type === 'text'").await;
            page.fits("owner-refused").await;
            page.rewrite("#password", "correct horse battery").await;
            page.rewrite("#email", "grace@example.org").await;
            page.press("Become the owner").await;
            page.until("document.querySelector('.shell') && location.pathname === '/'").await;
            page.is_clean_for_a_stranger().await;

            // A second session, which the browser ends.
            let elsewhere = Home::new();
            let sign_in = |password: &str| {
                let said = with_input(
                    &elsewhere,
                    &["login", "--coordinator", &serve.url(), "--user", "grace"],
                    &format!("{password}\n"),
                );
                assert_eq!(said.code, Some(0), "{said:?}");
            };
            sign_in("correct horse battery");
            page.press("Account").await;
            page.sees("You are signed in as grace, in two places").await;
            page.sees("Command line (garageswarm/").await;
            page.fits("account").await;
            page.press("End").await;
            page.sees("here and nowhere else").await;
            page.sees("is signed out").await;
            assert_eq!(elsewhere.run(&["whoami"]).code, Some(3), "its token is good for nothing");

            // Several others end together, once that is confirmed.
            sign_in("correct horse battery");
            person(&serve, "grace", "correct horse battery").await;
            page.client.refresh().await.unwrap();
            page.press("End two other sessions").await;
            page.sees("They are signed out at once").await;
            page.fits("end-others").await;
            page.press("End two other sessions").await;
            page.sees("here and nowhere else").await;
            assert_eq!(elsewhere.run(&["whoami"]).code, Some(3), "all of them ended");

            // A new name goes round at once; an address may be taken out.
            page.rewrite("#username", " ").await;
            page.rewrite("#email", "grace").await;
            page.press("Save the profile").await;
            page.sees_at("username", "Enter a name").await;
            page.sees_at("email", "This is not an address").await;
            page.rewrite("#username", "Grace").await;
            page.rewrite("#email", "").await;
            page.press("Save the profile").await;
            page.sees("The profile is saved").await;
            page.sees("You are signed in as Grace").await;
            let me = person(&serve, "grace", "correct horse battery").await.me().await.unwrap();
            assert_eq!((me.username.as_str(), me.email), ("Grace", None));

            // Another password ends what is open elsewhere.
            sign_in("correct horse battery");
            page.write("#current-password", "wrong horse battery").await;
            page.write("#new-password", "staple").await;
            page.press("Change the password").await;
            page.sees_at("new-password", "Too short: 4 characters more").await;
            page.write("#new-password", " and battery").await;
            page.press("Change the password").await;
            page.sees_at("current-password", "This is not your current password").await;
            page.fits("account-refused").await;
            page.rewrite("#current-password", "correct horse battery").await;
            page.press("Change the password").await;
            page.sees("The password is saved").await;
            assert_eq!(elsewhere.run(&["whoami"]).code, Some(3), "every other session has ended");
            sign_in("staple and battery");

            page.press("Sign out").await;
            page.sees("You are signed out").await;
            page.write("#username", "grace").await;
            page.write("#password", "staple and battery").await;
            page.press("Sign in").await;
            page.until("document.querySelector('.shell')").await;
        })
        .await;
}

#[tokio::test]
async fn an_invited_friend_comes_in() {
    let home = Home::new();
    let Some(browser) = Browser::find() else { return };
    let (serve, link) = serve(&home);
    browser
        .open(&home, async |page| {
            page.size(1440, 900).await;
            own(page, &link).await;
            let owner = person(&serve, "grace", "correct horse battery").await;
            let invite = async || owner.invite(&CreateInvitation::default()).await.unwrap().invitation;
            let (first, second) = (invite().await, invite().await);

            // Who has an account is asked before another one is made.
            page.goto(&format!("{}/register#{first}", serve.url())).await;
            page.sees("You are signed in as grace").await;
            page.fits("already").await;
            page.press("Sign out and use it").await;
            page.sees("You are invited").await;
            page.fits("invited").await;
            page.write("#username", "Grace").await;
            page.write("#password", "open sesame, friend").await;
            page.press("Make the account").await;
            page.sees_at("username", "Somebody here has this name").await;
            page.rewrite("#username", "ann").await;
            page.press("Make the account").await;
            page.until("document.querySelector('.shell') && location.pathname === '/'").await;
            page.sees("ann").await;

            // Without a link an invitation is pasted, and one that was used is told from a good one.
            page.goto(&format!("{}/account", serve.url())).await;
            page.sees("member").await;
            page.press("Sign out").await;
            page.press("I have an invitation").await;
            page.write("#username", "bob").await;
            page.write("#password", "open sesame, friend").await;
            page.press("Make the account").await;
            page.sees_at("invitation", "An invitation is needed here").await;
            page.write("#invitation", &first).await;
            page.press("Make the account").await;
            page.sees_at("invitation", "This invitation was used").await;
            page.fits("spent").await;
            assert_eq!(page.value("#username").await, "bob");
            page.write("#invitation", &format!("{}/register#{second}", serve.url())).await;
            page.press("Make the account").await;
            page.until("document.querySelector('.shell')").await;
            assert_eq!(person(&serve, "bob", "open sesame, friend").await.me().await.unwrap().username, "bob");
        })
        .await;
}

#[tokio::test]
async fn who_came_by_a_link_sets_a_password() {
    let home = Home::new();
    let Some(browser) = Browser::find() else { return };
    let up = home.up(&["--no-worker"]);
    browser
        .open(&home, async |page| {
            page.size(1440, 900).await;
            page.goto(&link(&up)).await;
            page.press("Account").await;
            page.sees("You have none yet").await;
            page.press("Set the password").await;
            page.sees_at("new-password", "Enter a password").await;
            page.write("#new-password", "correct horse battery").await;
            page.press("Set the password").await;
            page.sees("The password is saved").await;
            page.until("document.querySelector('#current-password')").await;
            assert!(person(&up, "ada", "correct horse battery").await.me().await.unwrap().has_password);
            assert_eq!(page.console().await, [""; 0], "the console is clean");
        })
        .await;
}
