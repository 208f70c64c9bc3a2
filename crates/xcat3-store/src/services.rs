//! Services that report for duty, worker by worker, and up to which revision each network service
//! serves.

use uuid::Uuid;
use xcat3_core::service::OFFLINE_AFTER_S;
use xcat3_core::{Service, ServiceKind};

use crate::{Revision, Store, StoreError, now_ms};

/// What a worker of a service says with each heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceReport {
    /// The host that it runs on.
    pub hostname: String,
    /// What it does.
    pub kind: ServiceKind,
    /// Which of the service's worker processes it is, from 0.
    pub worker: u32,
    /// How many worker processes the service is to have there.
    pub workers: u32,
    /// Made at its start: what an earlier run of it served is forgotten.
    pub instance: Uuid,
    /// Up to which revision it serves; where absent what it said of that before stays.
    pub served: Option<Revision>,
    /// What is wrong with it, in a sentence.
    pub note: Option<String>,
}

impl Store {
    /// Notes that a worker of a service is alive.
    ///
    /// # Errors
    /// The database failed.
    pub async fn heartbeat(&self, service: &ServiceReport) -> Result<(), StoreError> {
        let statement = "
            INSERT INTO services (hostname, kind, worker, instance, workers, seen_ms, served, note)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (hostname, kind, worker) DO UPDATE
            SET workers = excluded.workers, seen_ms = excluded.seen_ms, note = excluded.note,
                served = CASE WHEN services.instance <> excluded.instance THEN excluded.served
                              WHEN excluded.served > services.served THEN excluded.served
                              ELSE COALESCE(services.served, excluded.served) END,
                instance = excluded.instance";
        let values = [
            service.hostname.as_str().into(),
            service.kind.as_str().into(),
            i64::from(service.worker).into(),
            service.instance.to_string().into(),
            i64::from(service.workers).into(),
            now_ms().into(),
            service.served.into(),
            service.note.clone().into(),
        ];
        // A row of its own: there is nobody to be alone from.
        let mut tx = self.write_beside().await?;
        tx.run(statement, values).await?;
        tx.commit().await
    }

    /// All services that ever reported, by host and kind. A service is online while one of its
    /// workers is; its workers are those that are online, or as many as it was to have at the last.
    ///
    /// # Errors
    /// The database failed.
    pub async fn services(&self) -> Result<Vec<Service>, StoreError> {
        let statement = "
            SELECT hostname, kind, seen_ms, workers FROM services
            ORDER BY hostname, kind, seen_ms DESC, worker";
        let mut tx = self.read().await?;
        let offline_before = offline_before();
        let mut services: Vec<Service> = Vec::new();
        for row in tx.rows(statement, []).await? {
            let (hostname, kind) = (row.text(0)?, row.parse(1, "the kind of a service")?);
            let online = row.int(2)? > offline_before;
            // Of the rows of a service those of workers that are online come first.
            match services.last_mut() {
                Some(last) if last.hostname == hostname && last.kind == kind => {
                    last.workers += u32::from(online);
                }
                _ => services.push(Service {
                    hostname: hostname.to_owned(),
                    kind,
                    online,
                    workers: match online {
                        true => 1,
                        false => u32::try_from(row.int(3)?).unwrap_or(u32::MAX),
                    },
                }),
            }
        }
        Ok(services)
    }

    /// Notes that a worker of a service ended: it is offline at once. Says nothing against a later run
    /// of it.
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
        // A row of its own: there is nobody to be alone from.
        let mut tx = self.write_beside().await?;
        tx.run(statement, values).await?;
        tx.commit().await
    }

    /// The hosts of whose network service a worker is online and does not yet serve `revision`, each
    /// followed by what is wrong with it where it said so: `host1`, `host2 (port 67: permission
    /// denied)`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn lagging_networks(&self, revision: Revision) -> Result<Vec<String>, StoreError> {
        let statement = "
            SELECT DISTINCT hostname, note FROM services
            WHERE kind = $1 AND seen_ms > $2 AND (served IS NULL OR served < $3)
            ORDER BY hostname, note";
        let kind = ServiceKind::Network.as_str();
        let values = [kind.into(), offline_before().into(), revision.into()];
        let mut lagging: Vec<(String, Vec<String>)> = Vec::new();
        for row in self.read().await?.rows(statement, values).await? {
            let (hostname, note) = (row.text(0)?, row.owned(1)?);
            match lagging.last_mut() {
                Some((last, notes)) if last == hostname => notes.extend(note),
                _ => lagging.push((hostname.to_owned(), Vec::from_iter(note))),
            }
        }
        let told = |(hostname, notes): (String, Vec<String>)| match notes.as_slice() {
            [] => hostname,
            notes => format!("{hostname} ({})", notes.join("; ")),
        };
        Ok(lagging.into_iter().map(told).collect())
    }

    /// What online network services say is wrong with them: host and sentence, one for each line that
    /// they reported, whichever of their workers it was.
    ///
    /// # Errors
    /// The database failed.
    pub async fn network_notes(&self) -> Result<Vec<(String, String)>, StoreError> {
        let statement = "
            SELECT DISTINCT hostname, note FROM services
            WHERE kind = $1 AND seen_ms > $2 AND note IS NOT NULL ORDER BY hostname, note";
        let values = [
            ServiceKind::Network.as_str().into(),
            offline_before().into(),
        ];
        let mut notes = Vec::new();
        for row in self.read().await?.rows(statement, values).await? {
            for line in row.text(1)?.lines().filter(|line| !line.is_empty()) {
                let note = (row.text(0)?.to_owned(), line.to_owned());
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        Ok(notes)
    }
}

fn offline_before() -> i64 {
    now_ms() - i64::try_from(OFFLINE_AFTER_S * 1_000).unwrap_or(i64::MAX)
}
