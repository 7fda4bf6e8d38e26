//! [`WorkerStore`] in SQL.

use async_trait::async_trait;
use swarm_model::rights::WorkerRole;
use swarm_model::worker::ShareLimits;
use swarm_model::{UserId, WorkerId};

use crate::audit::AuditEntry;
use crate::error::{Conflict, StoreError};
use crate::sql::database::{Transaction, broken_constraint};
use crate::sql::row::{Fields, Row};
use crate::sql::rows::{Rows, cells};
use crate::sql::statement::{Statement, sql};
use crate::sql::value::{Value, args, json};
use crate::sql::{SqlStore, audit, tokens};
use crate::token::Revoked;
use crate::worker::{Grant, NewGrant, Registration, Seen, WorkerRecord, WorkerStore, WorkerView};

const REGISTER: Statement = sql!("workers/register");
const OF_MACHINE: Statement = sql!("workers/of_machine");
const BY_ID: Statement = sql!("workers/by_id");
const ALL: Statement = sql!("workers/all");
const FOR_USER: Statement = sql!("workers/for_user");
const SAVE_SEEN: Statement = sql!("workers/save_seen");
const SET_PAUSE: Statement = sql!("workers/set_pause");
const SET_DRAIN: Statement = sql!("workers/set_drain");
const SET_SHARED: Statement = sql!("workers/set_shared");
const RENAME: Statement = sql!("workers/rename");
const REMOVE: Statement = sql!("workers/remove");
const END_GRANTS: Statement = sql!("workers/end_grants");
const GRANT: Statement = sql!("workers/grant");
const REVOKE_GRANT: Statement = sql!("workers/revoke_grant");
const GRANTS: Statement = sql!("workers/grants");
const ROLE_OF: Statement = sql!("workers/role_of");

#[async_trait]
impl WorkerStore for SqlStore {
    async fn register(&self, registration: &Registration, audit: &AuditEntry) -> Result<Revoked, StoreError> {
        let mut tx = self.db.begin().await?;
        if let Some(key) = registration.key {
            tokens::use_worker_key(&mut tx, key, audit.at).await?;
        }
        let values = args![
            registration.worker_id,
            registration.machine_id.as_str(),
            registration.machine_name.as_str(),
            registration.owner,
            registration.key,
            json(&registration.capabilities)?,
            registration.shared,
            false,
            audit.at,
        ];
        let registered = tx.try_execute(&REGISTER, values).await;
        let registered = registered.map_err(|error| match broken_constraint(&error) {
            Some(_) => Conflict::Exists.into(),
            None => StoreError::from(error),
        })?;
        if registered == 0 {
            return Err(Conflict::OthersWorker.into());
        }
        let revoked = tokens::revoke_tokens_of_worker(&mut tx, registration.worker_id, audit.at).await?;
        tokens::insert_token(&mut tx, &registration.credential, audit.at).await?;
        let ownership = NewGrant {
            grant_id: registration.grant_id,
            user_id: registration.owner,
            worker_id: registration.worker_id,
            role: WorkerRole::Owner,
            limits: ShareLimits::default(),
        };
        write_grant(&mut tx, &ownership, audit).await?;
        audit::write(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(revoked)
    }

    async fn worker_of_machine(&self, owner: UserId, machine_id: &str) -> Result<Option<WorkerId>, StoreError> {
        let rows = self.db.read(&OF_MACHINE, args![owner, machine_id]).await?;
        rows.first().map(|row| row.of("workers", "worker_id").parsed("worker_id")).transpose()
    }

    async fn worker(&self, worker: WorkerId) -> Result<Option<WorkerRecord>, StoreError> {
        let rows = self.db.read(&BY_ID, args![worker]).await?;
        rows.first().map(|row| worker_record(row.of("workers", "worker_id"))).transpose()
    }

    async fn workers_for(&self, user: UserId, all: bool) -> Result<Vec<WorkerView>, StoreError> {
        let view = |row: &Row| {
            let fields = row.of("workers", "worker_id");
            Ok(WorkerView { worker: worker_record(fields)?, role: fields.opt_name("role")? })
        };
        self.db.read(&FOR_USER, args![user, all]).await?.iter().map(view).collect()
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        let rows = self.db.read(&ALL, Vec::new()).await?;
        rows.iter().map(|row| worker_record(row.of("workers", "worker_id"))).collect()
    }

    async fn save_seen(&self, seen: &[Seen]) -> Result<(), StoreError> {
        if seen.is_empty() {
            return Ok(());
        }
        let mut rows = Rows::default();
        for seen in seen {
            let capabilities = seen.capabilities.as_ref().map(json).transpose()?;
            rows.push(cells![seen.worker_id, seen.at, json(&seen.load)?, capabilities]);
        }
        let mut tx = self.db.begin().await?;
        tx.write(&SAVE_SEEN, rows).await?;
        tx.commit().await
    }

    async fn set_pause(&self, worker: WorkerId, paused: bool, audit: &AuditEntry) -> Result<(), StoreError> {
        self.change_worker(&SET_PAUSE, worker, paused.into(), audit).await
    }

    async fn set_drain(&self, worker: WorkerId, draining: bool, audit: &AuditEntry) -> Result<(), StoreError> {
        self.change_worker(&SET_DRAIN, worker, draining.into(), audit).await
    }

    async fn set_shared(&self, worker: WorkerId, shared: bool, audit: &AuditEntry) -> Result<(), StoreError> {
        self.change_worker(&SET_SHARED, worker, shared.into(), audit).await
    }

    async fn rename(&self, worker: WorkerId, machine_name: &str, audit: &AuditEntry) -> Result<(), StoreError> {
        self.change_worker(&RENAME, worker, machine_name.into(), audit).await
    }

    async fn remove(&self, worker: WorkerId, audit: &AuditEntry) -> Result<Revoked, StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.execute(&REMOVE, args![worker, audit.at]).await? == 0 {
            return Err(StoreError::not_found("worker"));
        }
        tx.execute(&END_GRANTS, args![worker, false]).await?;
        let revoked = tokens::revoke_tokens_of_worker(&mut tx, worker, audit.at).await?;
        audit::write(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(revoked)
    }

    async fn grant(&self, grant: &NewGrant, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let rows = tx.fetch(&BY_ID, args![grant.worker_id]).await?;
        let worker = worker_record(rows.first().ok_or(StoreError::not_found("worker"))?.of("workers", "worker_id"))?;
        if worker.removed_at.is_some() {
            return Err(StoreError::not_found("worker"));
        }
        write_grant(&mut tx, grant, audit).await?;
        audit::write(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn revoke_grant(&self, user: UserId, worker: WorkerId, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.execute(&REVOKE_GRANT, args![user, worker, false]).await? == 0 {
            return Err(StoreError::not_found("role"));
        }
        audit::write(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn grants(&self, worker: WorkerId) -> Result<Vec<Grant>, StoreError> {
        let grant = |row: &Row| {
            let fields = row.of("user_workers", "id");
            Ok(Grant {
                grant_id: fields.parsed("id")?,
                user_id: fields.parsed("user_id")?,
                worker_id: fields.parsed("worker_id")?,
                role: fields.name("role")?,
                limits: fields.json("limits")?,
                is_active: fields.flag("is_active")?,
                added_at: fields.time("added_at")?,
            })
        };
        self.db.read(&GRANTS, args![worker]).await?.iter().map(grant).collect()
    }

    async fn role_of(&self, user: UserId, worker: WorkerId) -> Result<Option<WorkerRole>, StoreError> {
        let rows = self.db.read(&ROLE_OF, args![user, worker]).await?;
        rows.first().map(|row| row.of("user_workers", "id").name("role")).transpose()
    }
}

impl SqlStore {
    /// Sets one column of a worker that was not removed.
    async fn change_worker(
        &self,
        statement: &Statement,
        worker: WorkerId,
        value: Value,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let mut values = args![worker];
        values.push(value);
        if tx.execute(statement, values).await? == 0 {
            return Err(StoreError::not_found("worker"));
        }
        audit::write(&mut tx, audit).await?;
        tx.commit().await
    }
}

async fn write_grant(tx: &mut Transaction<'_>, grant: &NewGrant, audit: &AuditEntry) -> Result<(), StoreError> {
    let limits = json(&grant.limits)?;
    let values = args![grant.grant_id, grant.user_id, grant.worker_id, grant.role.as_str(), true, audit.at, limits];
    tx.execute(&GRANT, values).await?;
    Ok(())
}

fn worker_record(fields: Fields<'_>) -> Result<WorkerRecord, StoreError> {
    Ok(WorkerRecord {
        worker_id: fields.parsed("worker_id")?,
        machine_id: fields.text("machine_id")?,
        machine_name: fields.text("machine_name")?,
        owner: fields.parsed("owner")?,
        enrolled_by: fields.opt_parsed("enrolled_by")?,
        capabilities: fields.json("capabilities")?,
        shared: fields.flag("shared")?,
        paused: fields.flag("paused")?,
        draining: fields.flag("draining")?,
        registered_at: fields.time("registered_at")?,
        last_seen: fields.opt_time("last_seen")?,
        load: fields.json("load")?,
        removed_at: fields.opt_time("removed_at")?,
    })
}
