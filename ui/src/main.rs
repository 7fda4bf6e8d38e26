//! The panel's entry: mounts the page into the document. Elsewhere than in a browser it does nothing.

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
    leptos::mount::mount_to_body(swarm_ui::web::App);
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {}
