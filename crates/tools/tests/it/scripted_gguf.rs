//! A model of half a megabyte for a real Ollama, whose next token depends on its last one alone.
//!
//! All layers are zero, so that what comes out of the last one is the embedding of the last token, and the row of the
//! output matrix for a token is the sum of the embeddings of the tokens that it follows. Embeddings are random signs,
//! which are nearly at right angles to each other. A template that ends in a trigger picks the answer. The format is
//! GGUF version 3 (github.com/ggml-org/ggml, docs/gguf.md).

/// Width of an embedding, of the feed-forward layer, heads, and the longest conversation.
const WIDTH: usize = 128;
const FEED_FORWARD: usize = 32;
const HEADS: usize = 4;
const CONTEXT: u32 = 4096;

/// How a token counts for the tokenizer.
#[derive(Clone, Copy)]
enum Kind {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    Byte = 6,
}

/// Types of values in the header of the file.
const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const BOOL: u32 = 7;
const TEXT: u32 = 8;
const LIST: u32 = 9;

/// The answers: after its trigger each token follows the one before it; the last is followed by the end, or by the
/// first again.
const ANSWERS: [(&str, &[&str], bool); 3] = [
    ("<|assistant|>", &["Hello", " from", " a", " tiny", " scripted", " model", "."], false),
    ("<|endless|>", &[" n0", " n1", " n2", " n3", " n4", " n5", " n6", " n7", " n8", " n9"], true),
    ("<|thinking|>", &["<think>", "let", " me", " see", "</think>", "It", " is", " 42", "!"], false),
];

/// A model under construction. No token may be there twice: that ends the whole server.
#[derive(Default)]
struct Vocabulary {
    tokens: Vec<(String, Kind)>,
    follows: Vec<(usize, usize)>,
}

impl Vocabulary {
    fn add(&mut self, token: impl Into<String>, kind: Kind) -> usize {
        self.tokens.push((token.into(), kind));
        self.tokens.len() - 1
    }

    fn scripted() -> Self {
        let mut all = Self::default();
        all.add("<unk>", Kind::Unknown);
        all.add("<s>", Kind::Control);
        let end = all.add("</s>", Kind::Control);
        for byte in 0..=255 {
            all.add(format!("<0x{byte:02X}>"), Kind::Byte);
        }
        for role in ["system", "user", "tool"] {
            all.add(format!("<|{role}|>"), Kind::Control);
        }
        for (trigger, words, is_endless) in ANSWERS {
            let mut last = all.add(trigger, Kind::Control);
            let first = all.tokens.len();
            for word in words {
                // A space is written as U+2581 in a vocabulary.
                let next = all.add(word.replace(' ', "\u{2581}"), Kind::Normal);
                all.follows.push((last, next));
                last = next;
            }
            all.follows.push((last, if is_endless { first } else { end }));
        }
        all
    }

    /// The matrix that a token goes in by, and the one that the next comes out of.
    fn matrices(&self) -> (Vec<f32>, Vec<f32>) {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut sign = || {
            // Marsaglia's xorshift, so that the model is the same everywhere.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if state >> 33 & 1 == 1 { 1.0 } else { -1.0 }
        };
        let embeddings: Vec<f32> = (0..self.tokens.len() * WIDTH).map(|_| sign()).collect();
        let mut outputs = vec![0.0; embeddings.len()];
        for (before, after) in &self.follows {
            for n in 0..WIDTH {
                outputs[after * WIDTH + n] += embeddings[before * WIDTH + n];
            }
        }
        (embeddings, outputs)
    }
}

/// The file.
pub(crate) fn scripted_gguf() -> Vec<u8> {
    let vocabulary = Vocabulary::scripted();
    let n_tokens = vocabulary.tokens.len();
    let (embeddings, outputs) = vocabulary.matrices();
    let mut tensors = vec![
        ("token_embd.weight".to_owned(), embeddings, vec![WIDTH, n_tokens]),
        ("output_norm.weight".to_owned(), vec![1.0; WIDTH], vec![WIDTH]),
        ("output.weight".to_owned(), outputs, vec![WIDTH, n_tokens]),
    ];
    for norm in ["attn_norm", "ffn_norm"] {
        tensors.push((format!("blk.0.{norm}.weight"), vec![1.0; WIDTH], vec![WIDTH]));
    }
    for (name, inner, outer) in [
        ("attn_q", WIDTH, WIDTH),
        ("attn_k", WIDTH, WIDTH),
        ("attn_v", WIDTH, WIDTH),
        ("attn_output", WIDTH, WIDTH),
        ("ffn_gate", WIDTH, FEED_FORWARD),
        ("ffn_up", WIDTH, FEED_FORWARD),
        ("ffn_down", FEED_FORWARD, WIDTH),
    ] {
        tensors.push((format!("blk.0.{name}.weight"), vec![0.0; inner * outer], vec![inner, outer]));
    }
    let facts = facts(&vocabulary);
    let mut file = b"GGUF".to_vec();
    put_u32(&mut file, 3);
    put_u64(&mut file, tensors.len());
    put_u64(&mut file, facts.len());
    file.extend(facts.concat());
    let mut place = 0;
    for (name, values, shape) in &tensors {
        put_text(&mut file, name);
        put_u32(&mut file, u32::try_from(shape.len()).unwrap());
        for length in shape {
            put_u64(&mut file, *length);
        }
        // Plain 32-bit numbers.
        put_u32(&mut file, 0);
        put_u64(&mut file, place);
        place += (values.len() * 4).next_multiple_of(32);
    }
    for (_, values, _) in tensors {
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(values.into_iter().flat_map(f32::to_le_bytes));
    }
    file.resize(file.len().next_multiple_of(32), 0);
    file
}

fn facts(vocabulary: &Vocabulary) -> Vec<Vec<u8>> {
    let n_tokens = u32::try_from(vocabulary.tokens.len()).unwrap();
    let number = |key, value: u32| fact(key, U32, &value.to_le_bytes());
    let list = |key, kind: u32, items: Vec<u8>| {
        let mut value = kind.to_le_bytes().to_vec();
        put_u64(&mut value, vocabulary.tokens.len());
        value.extend(items);
        fact(key, LIST, &value)
    };
    let text = |key, text: &str| {
        let mut value = Vec::new();
        put_text(&mut value, text);
        fact(key, TEXT, &value)
    };
    let mut tokens = Vec::new();
    for (token, _) in &vocabulary.tokens {
        put_text(&mut tokens, token);
    }
    let scores = vec![0; vocabulary.tokens.len() * 4];
    let kinds = vocabulary.tokens.iter().flat_map(|(_, kind)| (*kind as u32).to_le_bytes()).collect();
    let width = u32::try_from(WIDTH).unwrap();
    let heads = u32::try_from(HEADS).unwrap();
    vec![
        text("general.architecture", "llama"),
        text("general.name", "tiny-scripted"),
        number("general.file_type", 0),
        number("llama.context_length", CONTEXT),
        number("llama.embedding_length", width),
        number("llama.block_count", 1),
        number("llama.feed_forward_length", u32::try_from(FEED_FORWARD).unwrap()),
        number("llama.attention.head_count", heads),
        number("llama.attention.head_count_kv", heads),
        fact("llama.attention.layer_norm_rms_epsilon", F32, &1e-5_f32.to_le_bytes()),
        number("llama.rope.dimension_count", width / heads),
        number("llama.vocab_size", n_tokens),
        text("tokenizer.ggml.model", "llama"),
        text("tokenizer.ggml.pre", "default"),
        list("tokenizer.ggml.tokens", TEXT, tokens),
        list("tokenizer.ggml.scores", F32, scores),
        list("tokenizer.ggml.token_type", I32, kinds),
        number("tokenizer.ggml.unknown_token_id", 0),
        number("tokenizer.ggml.bos_token_id", 1),
        number("tokenizer.ggml.eos_token_id", 2),
        fact("tokenizer.ggml.add_bos_token", BOOL, &[1]),
        fact("tokenizer.ggml.add_space_prefix", BOOL, &[0]),
    ]
}

fn fact(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    let mut fact = Vec::new();
    put_text(&mut fact, key);
    put_u32(&mut fact, kind);
    fact.extend(value);
    fact
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_u64(out, text.len());
    out.extend(text.as_bytes());
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend(number.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, number: usize) {
    out.extend((number as u64).to_le_bytes());
}
