//! The names of all nodes in natural order, kept in memory until one is enrolled or removed: ranges
//! and lists are answered from them, and reading and sorting them costs more than all the rest.

use std::sync::{Arc, Mutex, PoisonError};

use xcat3_core::{NodeName, natural};

use crate::database::Tx;
use crate::{Store, StoreError};

/// The names as they were when the counter `names` stood at a number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Arc<Mutex<Option<Known>>>);

#[derive(Clone, Debug)]
struct Known {
    count: i64,
    names: Arc<[NodeName]>,
}

impl Names {
    fn known(&self, count: i64) -> Option<Arc<[NodeName]>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = known.as_ref().filter(|known| known.count == count);
        current.map(|known| known.names.clone())
    }

    fn learn(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

impl Store {
    /// The names of all nodes, in natural order. Cheap while none comes or goes, also in another
    /// process: then they are the same list as before.
    ///
    /// # Errors
    /// The database failed.
    pub async fn all_names(&self) -> Result<Arc<[NodeName]>, StoreError> {
        let mut tx = self.read().await?;
        let statement = "SELECT value FROM counters WHERE name = 'names'";
        let row = tx.row(statement, []).await?;
        let count = row.map_or(Ok(0), |row| row.int(0))?;
        if let Some(names) = self.names.known(count) {
            return Ok(names);
        }
        let names: Arc<[NodeName]> = read(&mut tx).await?.into();
        self.names.learn(Known {
            count,
            names: names.clone(),
        });
        Ok(names)
    }
}

/// Notes that a name came or went.
pub(super) async fn changed(tx: &mut Tx) -> Result<(), StoreError> {
    tx.count_up("names").await.map(|_| ())
}

/// All names at once: a row for each costs many times more than the names.
async fn read(tx: &mut Tx) -> Result<Vec<NodeName>, StoreError> {
    let statement = "SELECT string_agg(name, ',') FROM nodes";
    let row = tx.row(statement, []).await?;
    let list = row.as_ref().map_or(Ok(None), |row| row.maybe_text(0))?;
    let parse = |name: &str| {
        let name = name.parse();
        name.map_err(|why| StoreError::corrupt("a node's name", why))
    };
    let names = list.into_iter().flat_map(|list| list.split(',')).map(parse);
    let mut names = names.collect::<Result<Vec<NodeName>, _>>()?;
    names.sort_by(|left, right| natural::compare(left.as_str(), right.as_str()));
    Ok(names)
}

/// Names by what decides before them, then in natural order.
pub(super) fn sorted(mut keyed: Vec<(Option<String>, NodeName)>) -> Vec<NodeName> {
    keyed.sort_by(|left, right| {
        let name = || natural::compare(left.1.as_str(), right.1.as_str());
        left.0.cmp(&right.0).then_with(name)
    });
    keyed.into_iter().map(|(_, name)| name).collect()
}
