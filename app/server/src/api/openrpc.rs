//! The description of the methods in OpenRPC 1.3 (spec.open-rpc.org), made from their table and
//! from the descriptors of the messages: nothing is written twice.

use std::collections::BTreeMap;

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::methods::{Form, PARAMS, Spec, TABLE};

/// Tells where the chain is.
pub(super) const STATUS: &str = "guts_status";
/// OpenRPC's own name for the method that answers with the description.
pub(super) const DISCOVER: &str = "rpc.discover";

/// The whole document.
pub(super) fn document(messages: &DescriptorPool) -> Value {
    let mut schemas = BTreeMap::new();
    for spec in TABLE {
        if let Some(message) = messages.get_message_by_name(&format!("guts.v1.{}", spec.message)) {
            add_message(&message, &mut schemas);
        }
    }
    let mut methods: Vec<Value> = TABLE.iter().map(method).collect();
    methods.push(status());
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Guts: the state, with proofs",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": env!("CARGO_PKG_LICENSE")},
        },
        "methods": methods,
        "components": {"schemas": schemas},
    })
}

fn method(spec: &Spec) -> Value {
    let last = spec.params.len().saturating_sub(1);
    let params: Vec<Value> = spec
        .params
        .iter()
        .enumerate()
        .filter_map(|(at, name)| {
            let param = PARAMS.iter().find(|param| param.name == *name)?;
            Some(json!({
                "name": param.name,
                "description": param.about,
                "required": at < last,
                "schema": form(param.form),
            }))
        })
        .collect();
    json!({
        "name": spec.name,
        "summary": spec.summary,
        "paramStructure": "either",
        "params": params,
        "result": {"name": spec.message, "schema": proved(spec.message)},
    })
}

fn form(form: Form) -> Value {
    match form {
        Form::Hex(bytes) => {
            json!({"type": "string", "pattern": format!("^[0-9a-f]{{{}}}$", bytes * 2)})
        }
        Form::Number | Form::RepoId => json!({"type": "string", "pattern": "^[0-9]+$"}),
        Form::Handle | Form::RepoName | Form::RefName => json!({"type": "string"}),
    }
}

fn base64() -> Value {
    json!({"type": "string", "contentEncoding": "base64"})
}

fn or_null(schema: Value) -> Value {
    json!({"oneOf": [schema, {"type": "null"}]})
}

/// The answer of a method whose value is `message`.
fn proved(message: &str) -> Value {
    let number = form(Form::Number);
    object([
        ("height", "the block that left this state", number.clone()),
        ("header_height", "the header whose app hash proves it", number),
        ("key", "the key", base64()),
        ("value", "the bytes the proof speaks of; none: the key is absent", or_null(base64())),
        ("decoded", "the value as its message", or_null(reference(message))),
        ("proof", "an encoded ics23.CommitmentProof", base64()),
    ])
}

fn status() -> Value {
    let number = form(Form::Number);
    let text = json!({"type": "string"});
    json!({
        "name": STATUS,
        "summary": "where the chain is, as this node has it; proves nothing",
        "params": [],
        "result": {"name": "Status", "schema": object([
            ("chain_id", "the chain", text.clone()),
            ("height", "the newest block", number.clone()),
            ("time_s", "its header time, Unix seconds", number),
            ("version", "of this program", text),
        ])},
    })
}

/// An object whose members are all there.
fn object<const N: usize>(members: [(&str, &str, Value); N]) -> Value {
    let required: Vec<&str> = members.iter().map(|(name, ..)| *name).collect();
    let properties: Map<String, Value> = members
        .into_iter()
        .map(|(name, about, schema)| (name.to_owned(), described(schema, about)))
        .collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn described(mut schema: Value, about: &str) -> Value {
    if let (Some(schema), false) = (schema.as_object_mut(), about.is_empty()) {
        schema.insert("description".to_owned(), about.into());
    }
    schema
}

fn reference(message: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{message}")})
}

/// Adds the schema of a message and of those in its fields.
fn add_message(message: &MessageDescriptor, schemas: &mut BTreeMap<String, Value>) {
    if schemas.contains_key(message.name()) {
        return;
    }
    // Before its fields: a message may hold its own kind.
    schemas.insert(message.name().to_owned(), Value::Null);
    let mut properties = Map::new();
    for field in message.fields() {
        let about = comment(message, field.path());
        let schema = described(of_field(&field, schemas), &about);
        properties.insert(field.name().to_owned(), schema);
    }
    let schema = json!({"type": "object", "properties": properties});
    let about = comment(message, message.path());
    schemas.insert(message.name().to_owned(), described(schema, &about));
}

fn of_field(field: &FieldDescriptor, schemas: &mut BTreeMap<String, Value>) -> Value {
    if field.is_list() {
        json!({"type": "array", "items": of_kind(&field.kind(), schemas)})
    } else {
        of_kind(&field.kind(), schemas)
    }
}

/// Protobuf's JSON form of a kind.
fn of_kind(kind: &Kind, schemas: &mut BTreeMap<String, Value>) -> Value {
    match kind {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::String => json!({"type": "string"}),
        Kind::Bytes => base64(),
        Kind::Uint64 | Kind::Fixed64 => form(Form::Number),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            json!({"type": "string", "pattern": "^-?[0-9]+$"})
        }
        Kind::Double | Kind::Float => json!({"type": "number"}),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Uint32 | Kind::Fixed32 => {
            json!({"type": "integer"})
        }
        Kind::Enum(kind) => {
            let names: Vec<String> = kind.values().map(|value| value.name().to_owned()).collect();
            json!({"type": "string", "enum": names})
        }
        Kind::Message(message) => {
            add_message(message, schemas);
            reference(message.name())
        }
    }
}

/// The comment above a declaration in its `.proto` file, in one line.
pub(super) fn comment(message: &MessageDescriptor, path: &[i32]) -> String {
    let file = message.parent_file();
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let found = info.and_then(|info| info.location.iter().find(|place| place.path == path));
    let text = found.map(|place| place.leading_comments()).unwrap_or_default();
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}
