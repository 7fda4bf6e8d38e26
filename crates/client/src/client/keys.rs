//! One's own keys.

use swarm_model::KeyId;
use swarm_proto::keys::{CreateKey, CreatedKey, Key};

use crate::{Client, ClientError};

impl Client {
    /// Makes a key. Its secret is in this answer and never again.
    pub async fn create_key(&self, key: &CreateKey) -> Result<CreatedKey, ClientError> {
        self.json(self.post(&[&"keys"]).json(key)).await
    }

    /// One's keys, without their secrets.
    pub async fn keys(&self) -> Result<Vec<Key>, ClientError> {
        self.json(self.get(&[&"keys"])).await
    }

    /// Ends a key, and the machines that it enrolled with it.
    pub async fn revoke_key(&self, key_id: KeyId) -> Result<(), ClientError> {
        self.done(self.delete(&[&"keys", &key_id])).await
    }
}
