//! Log lines for programs: one JSON object a line with `level`, `time`, `service`, `event`, and beside them the
//! fields of the event and of the spans around it (the innermost wins).

use std::fmt;

use serde_json::{Map, Value};
use swarm_model::Clock as _;
use swarm_model::time::SystemClock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

pub(super) fn layer(service: &'static str) -> JsonLines<impl Fn(&str) + Send + Sync + 'static> {
    JsonLines { service, write: write_line }
}

/// A full disk or a closed pipe must not end what the coordinator does.
fn write_line(line: &str) {
    use std::io::Write as _;
    std::io::stderr().lock().write_all(line.as_bytes()).ok();
}

/// Turns events into lines.
pub(super) struct JsonLines<W> {
    service: &'static str,
    write: W,
}

/// The fields of a span, kept with it.
struct SpanFields(Map<String, Value>);

impl<W, S> Layer<S> for JsonLines<W>
where
    W: Fn(&str) + Send + Sync + 'static,
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.0));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        if let Some(SpanFields(known)) = extensions.get_mut() {
            let mut fields = Fields(std::mem::take(known));
            values.record(&mut fields);
            *known = fields.0;
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(SpanFields(known)) = span.extensions().get() {
                fields.0.extend(known.clone());
            }
        }
        event.record(&mut fields);
        let mut line = Map::new();
        line.insert("level".to_owned(), event.metadata().level().as_str().to_lowercase().into());
        line.insert("time".to_owned(), SystemClock.now().to_string().into());
        line.insert("service".to_owned(), self.service.into());
        line.insert("event".to_owned(), fields.0.remove("message").unwrap_or_else(|| event.metadata().name().into()));
        line.insert("target".to_owned(), event.metadata().target().into());
        for (name, value) in fields.0 {
            line.entry(name).or_insert(value);
        }
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        (self.write)(&text);
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn a_line_is_one_object_with_the_fields_around_it() {
        let lines = Arc::new(Mutex::new(Vec::<String>::new()));
        let kept = Arc::clone(&lines);
        let layer =
            JsonLines { service: "coordinator", write: move |line: &str| kept.lock().unwrap().push(line.to_owned()) };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("request", request_id = "r1", status = tracing::field::Empty);
            span.record("status", 200);
            span.in_scope(|| tracing::info!(durationMs = 3, success = true, path = "a\nb", "request done"));
        });
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].matches('\n').count(), 1, "a value must not break the line");
        let mut line: Value = serde_json::from_str(&lines[0]).unwrap();
        let time = line["time"].take();
        time.as_str().unwrap().parse::<swarm_model::Timestamp>().unwrap();
        assert_eq!(
            line,
            serde_json::json!({
                "level": "info", "time": null, "service": "coordinator", "event": "request done",
                "target": "swarm_server::telemetry::json::tests", "request_id": "r1", "status": 200,
                "durationMs": 3, "success": true, "path": "a\nb",
            })
        );
    }
}
