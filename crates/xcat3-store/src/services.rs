//! Services that report for duty, and up to which revision each network service serves.

use uuid::Uuid;
use xcat3_core::service::OFFLINE_AFTER_S;
use xcat3_core::{Service, ServiceKind};

use crate::{Revision, Store, StoreError, now_ms};

/// What a service says with each heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceReport {
    /// The host that it runs on.
    pub hostname: String,
    /// What it does.
    pub kind: ServiceKind,
    /// How many worker processes it has there.
    pub workers: u32,
    /// Made at its start: what an earlier run of it served is forgotten.
    pub instance: Uuid,
    /// Up to which revision it serves; where absent what it said of that before stays.
    pub served: Option<Revision>,
    /// What is wrong with it, in a sentence.
    pub note: Option<String>,
}

impl Store {
    /// Notes that a service is alive.
    ///
    /// # Errors
    /// The database failed.
    pub async fn heartbeat(&self, service: &ServiceReport) -> Result<(), StoreError> {
        let statement = "
            INSERT INTO services (hostname, kind, instance, workers, seen_ms, served, note)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (hostname, kind) DO UPDATE
            SET workers = excluded.workers, seen_ms = excluded.seen_ms, note = excluded.note,
                served = CASE WHEN services.instance <> excluded.instance THEN excluded.served
                              WHEN excluded.served > services.served THEN excluded.served
                              ELSE COALESCE(services.served, excluded.served) END,
                instance = excluded.instance";
        let values = [
            service.hostname.as_str().into(),
            service.kind.as_str().into(),
            service.instance.to_string().into(),
            i64::from(service.workers).into(),
            now_ms().into(),
            service.served.into(),
            service.note.clone().into(),
        ];
        let mut tx = self.write().await?;
        tx.run(statement, values).await?;
        tx.commit().await
    }

    /// All services that ever reported, by host and kind.
    ///
    /// # Errors
    /// The database failed.
    pub async fn services(&self) -> Result<Vec<Service>, StoreError> {
        let statement = "
            SELECT hostname, kind, seen_ms > $1, workers FROM services ORDER BY hostname, kind";
        let mut services = Vec::new();
        for row in self
            .read()
            .await?
            .rows(statement, [offline_before().into()])
            .await?
        {
            services.push(Service {
                hostname: row.text(0)?.to_owned(),
                kind: row.parse(1, "the kind of a service")?,
                online: row.int(2)? != 0,
                workers: u32::try_from(row.int(3)?).unwrap_or(u32::MAX),
            });
        }
        Ok(services)
    }

    /// Notes up to which revision a service serves now, and what is wrong with it. The service has
    /// to have sent a heartbeat before.
    ///
    /// # Errors
    /// The database failed.
    pub async fn report_served(
        &self,
        hostname: &str,
        kind: ServiceKind,
        served: Revision,
        note: Option<&str>,
    ) -> Result<(), StoreError> {
        let statement = "
            UPDATE services SET served = $3, note = $4, seen_ms = $5
            WHERE hostname = $1 AND kind = $2 AND (served IS NULL OR served <= $3)";
        let values = [
            hostname.into(),
            kind.as_str().into(),
            served.into(),
            note.map(str::to_owned).into(),
            now_ms().into(),
        ];
        let mut tx = self.write().await?;
        tx.run(statement, values).await?;
        tx.commit().await
    }

    /// Notes that a service ended: it is offline at once. Says nothing against a later run of it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn retire_service(
        &self,
        hostname: &str,
        kind: ServiceKind,
        instance: Uuid,
    ) -> Result<(), StoreError> {
        let statement = "
            UPDATE services SET seen_ms = 0, served = NULL, note = NULL
            WHERE hostname = $1 AND kind = $2 AND instance = $3";
        let values = [
            hostname.into(),
            kind.as_str().into(),
            instance.to_string().into(),
        ];
        let mut tx = self.write().await?;
        tx.run(statement, values).await?;
        tx.commit().await
    }

    /// The hosts whose network service is online and does not yet serve `revision`, each followed by
    /// what is wrong with it where it said so: `host1`, `host2 (port 67: permission denied)`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn lagging_networks(&self, revision: Revision) -> Result<Vec<String>, StoreError> {
        let statement = "
            SELECT hostname, note FROM services
            WHERE kind = $1 AND seen_ms > $2 AND (served IS NULL OR served < $3)
            ORDER BY hostname";
        let kind = ServiceKind::Network.as_str();
        let values = [kind.into(), offline_before().into(), revision.into()];
        let mut hosts = Vec::new();
        for row in self.read().await?.rows(statement, values).await? {
            let hostname = row.text(0)?;
            hosts.push(match row.maybe_text(1)? {
                None => hostname.to_owned(),
                Some(note) => format!("{hostname} ({note})"),
            });
        }
        Ok(hosts)
    }

    /// What online network services say is wrong with them: host and sentence, one for each line that
    /// they reported.
    ///
    /// # Errors
    /// The database failed.
    pub async fn network_notes(&self) -> Result<Vec<(String, String)>, StoreError> {
        let statement = "
            SELECT hostname, note FROM services
            WHERE kind = $1 AND seen_ms > $2 AND note IS NOT NULL ORDER BY hostname";
        let values = [
            ServiceKind::Network.as_str().into(),
            offline_before().into(),
        ];
        let mut notes = Vec::new();
        for row in self.read().await?.rows(statement, values).await? {
            let host = row.text(0)?;
            let lines = row.text(1)?.lines().filter(|line| !line.is_empty());
            notes.extend(lines.map(|line| (host.to_owned(), line.to_owned())));
        }
        Ok(notes)
    }
}

fn offline_before() -> i64 {
    now_ms() - i64::try_from(OFFLINE_AFTER_S * 1_000).unwrap_or(i64::MAX)
}
