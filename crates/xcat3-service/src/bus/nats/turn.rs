//! Whose turn it is to make a stream or a consumer.
//!
//! A broker that is asked twice at once for the same new stream makes it twice (nats-server 2.9.10), and
//! what is delivered from then on reaches nobody until the broker is started again. So who wants to
//! make one claims it first, in the hearing of all others, and does it only when nobody with an earlier
//! claim was heard for a while.

use std::future::Future;
use std::time::Duration;

use async_nats::Subscriber;
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::Instant;
use uuid::Uuid;

use super::connection::{HANDING_OVER, Link};
use crate::bus::BusError;

/// How long a claim is repeated before it counts, and after which who lost looks again.
pub(super) const CLAIMING: Duration = Duration::from_millis(600);
/// How often a claim is repeated.
const AGAIN: Duration = Duration::from_millis(50);
/// The claim of who is making it. It comes before all others.
const MAKING: &[u8] = b"";

/// A claim that nobody disputes.
pub(super) struct Turn<'a> {
    link: &'a Link,
    subject: String,
}

impl<'a> Turn<'a> {
    /// Claims `what`; nothing where another goes first.
    pub(super) async fn claim(link: &'a Link, what: &str) -> Result<Option<Self>, BusError> {
        let subject = format!("{}.making.{what}", link.prefix);
        let subscribing = link.client.subscribe(subject.clone());
        let mut others: Subscriber = link.within(HANDING_OVER, subscribing).await?;
        let turn = Self { link, subject };
        let mine = Bytes::from(Uuid::new_v4().to_string());
        let end = Instant::now() + CLAIMING;
        let mut beats = tokio::time::interval(AGAIN);
        loop {
            tokio::select! {
                biased;
                other = others.next() => match other {
                    Some(other) if other.payload < mine => return Ok(None),
                    Some(_) => {}
                    None => return Err(link.unavailable("the connection ended")),
                },
                _ = beats.tick() => turn.say(mine.clone()).await?,
                () = tokio::time::sleep_until(end) => return Ok(Some(turn)),
            }
        }
    }

    /// Does `making`, and has all others wait for it.
    pub(super) async fn make<T>(
        &self,
        making: impl Future<Output = Result<T, BusError>>,
    ) -> Result<T, BusError> {
        let claiming = async {
            let mut beats = tokio::time::interval(AGAIN);
            loop {
                beats.tick().await;
                if let Err(error) = self.say(Bytes::from_static(MAKING)).await {
                    return error;
                }
            }
        };
        tokio::select! {
            biased;
            error = claiming => Err(error),
            made = making => made,
        }
    }

    async fn say(&self, claim: Bytes) -> Result<(), BusError> {
        self.link.check()?;
        let handing_over = self.link.client.publish(self.subject.clone(), claim);
        self.link.within(HANDING_OVER, handing_over).await
    }
}
