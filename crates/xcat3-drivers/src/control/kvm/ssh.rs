//! An ssh connection to a hypervisor (RFC 4252 to 4254) and the commands that run over it. Only
//! this file and those below it know the ssh library.
//!
//! Commands are fixed texts of this program (`&'static str`): what varies goes to their standard
//! input, so that no shell ever interprets it.

mod host_key;
mod login;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use russh::client::{self, Handle, Msg};
use russh::keys::Algorithm;
use russh::{
    Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf, Preferred,
};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::super::KvmConfig;
use super::endpoint::Endpoint;
use super::failure::{Failure, said};
use super::known_hosts::{self, HostName};

use self::host_key::{HostKeyCheck, unusable};
use self::login::{Proof, log_in};

/// OpenSSH's server allows ten sessions a connection unless told otherwise.
const MAX_CHANNELS: usize = 8;
/// How often a server may refuse to open one channel, and how much longer to wait each time.
const MAX_REFUSALS: u32 = 16;
const PAUSE: Duration = Duration::from_millis(20);
/// A connection that was not used for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// More output than this is not what was asked for.
const MAX_OUTPUT_MIB: usize = 64;
/// How much of what a command prints on its standard error is kept.
const MAX_STDERR: usize = 4096;

/// A connection on which somebody is logged in. Closed when dropped, or when idle for a while.
pub struct Connection {
    handle: Handle<HostKeyCheck>,
    channels: Semaphore,
    /// How many channels the semaphore is for.
    allowed: AtomicUsize,
    answer_within: Duration,
    silence: Duration,
}

impl Connection {
    /// Connects to `endpoint` and logs in.
    ///
    /// # Errors
    /// Whatever prevents it; each step has its deadline.
    pub async fn open(endpoint: &Endpoint, config: &KvmConfig) -> Result<Self, Failure> {
        let mut proofs = Vec::new();
        for credential in &endpoint.credentials {
            proofs.push(Proof::of(credential).await?);
        }
        let host = HostName::new(&endpoint.host, endpoint.port);
        let known = known_hosts::read(&config.known_hosts).map_err(|e| unusable(config, &e))?;
        let preferred = preferred(&known_hosts::kinds(&known, &host));
        let stream = connect(endpoint, config.connect_deadline).await?;
        let settings = client::Config {
            preferred,
            nodelay: true,
            inactivity_timeout: Some(IDLE + config.command_deadline),
            ..client::Config::default()
        };
        let check = HostKeyCheck {
            host,
            config: config.clone(),
        };
        let handshake = client::connect_stream(Arc::new(settings), stream, check);
        let mut handle = timeout(config.connect_deadline, handshake)
            .await
            .map_err(|_| Failure::Silent(config.connect_deadline))??;
        timeout(
            config.connect_deadline,
            log_in(&mut handle, endpoint, &proofs),
        )
        .await
        .map_err(|_| Failure::LoginSilent(config.connect_deadline))??;
        Ok(Self {
            handle,
            channels: Semaphore::new(MAX_CHANNELS),
            allowed: AtomicUsize::new(MAX_CHANNELS),
            answer_within: config.connect_deadline,
            silence: config.command_deadline,
        })
    }

    /// Whether it can't be used any more.
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Opens a channel. Where the server allows fewer at a time than we thought, waits for others
    /// to end, and for the server to notice that they have.
    async fn channel(&self) -> Result<(Channel<Msg>, SemaphorePermit<'_>), Failure> {
        let mut refusals = 0;
        loop {
            let permit = self.channels.acquire().await.map_err(|_| Failure::Lost)?;
            let opening = timeout(self.answer_within, self.handle.channel_open_session());
            match opening.await {
                Ok(Ok(channel)) => return Ok((channel, permit)),
                Ok(Err(russh::Error::ChannelOpenFailure(why))) => {
                    refusals += 1;
                    let never = why == ChannelOpenFailure::AdministrativelyProhibited;
                    if never || refusals > MAX_REFUSALS {
                        return Err(Failure::NoCommand(format!("{why:?}")));
                    }
                    self.allow_fewer(permit);
                    tokio::time::sleep(refusals * PAUSE).await;
                }
                Ok(Err(_)) => return Err(Failure::Lost),
                Err(_) => return Err(Failure::Dead(self.answer_within)),
            }
        }
    }

    /// Takes one permit out of circulation, unless it is the last.
    fn allow_fewer(&self, permit: SemaphorePermit<'_>) {
        let fewer = |allowed| (allowed > 1).then(|| allowed - 1);
        if self
            .allowed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
            .is_ok()
        {
            permit.forget();
        }
    }

    /// Starts `command` with `input` as its standard input.
    ///
    /// # Errors
    /// The connection is lost, or the other side does not want to.
    pub async fn run(&self, command: &'static str, input: String) -> Result<Running<'_>, Failure> {
        let (channel, permit) = self.channel().await?;
        let (reader, writer) = channel.split();
        let mut running = Running {
            reader,
            writer: Arc::new(writer),
            sending: None,
            lines: VecDeque::new(),
            partial: Vec::new(),
            stderr: Vec::new(),
            read: 0,
            closed: false,
            silence: self.silence,
            _permit: permit,
        };
        running
            .writer
            .exec(true, command)
            .await
            .map_err(|_| Failure::Lost)?;
        let writer = Arc::clone(&running.writer);
        running.sending = Some(Box::pin(async move {
            writer.data_bytes(input.into_bytes()).await?;
            writer.eof().await
        }));
        Ok(running)
    }
}

/// A command that runs on the other side. Dropping it closes its channel.
pub struct Running<'c> {
    reader: ChannelReadHalf,
    writer: Arc<ChannelWriteHalf<Msg>>,
    /// The part of the work that feeds the command's standard input, until that is done.
    sending: Option<BoxFuture<'static, Result<(), russh::Error>>>,
    lines: VecDeque<String>,
    partial: Vec<u8>,
    stderr: Vec<u8>,
    read: usize,
    closed: bool,
    silence: Duration,
    _permit: SemaphorePermit<'c>,
}

impl Running<'_> {
    /// The next line that the command printed; none when it has ended.
    ///
    /// # Errors
    /// The connection is lost, or the command is silent for too long or prints too much.
    pub async fn line(&mut self) -> Result<Option<String>, Failure> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(Some(line));
            }
            if self.closed {
                return Ok(None);
            }
            let message = timeout(self.silence, self.message())
                .await
                .map_err(|_| Failure::CommandSilent(self.silence))?;
            self.take(message.ok_or(Failure::Lost)?)?;
        }
    }

    /// Waits until it has ended, so that it does not count among those that run any more.
    pub async fn end(&mut self) {
        while let Ok(Some(_)) = self.line().await {}
    }

    /// What it printed on its standard error so far.
    pub fn stderr(&self) -> String {
        said(&String::from_utf8_lossy(&self.stderr))
    }

    /// The next message from the other side, feeding the command meanwhile.
    async fn message(&mut self) -> Option<ChannelMsg> {
        while let Some(sending) = &mut self.sending {
            tokio::select! {
                message = self.reader.wait() => return message,
                // A command that does not read to the end has its reasons, and will say so.
                _ = sending => self.sending = None,
            }
        }
        self.reader.wait().await
    }

    fn take(&mut self, message: ChannelMsg) -> Result<(), Failure> {
        match message {
            ChannelMsg::Data { data } => {
                self.read += data.len();
                if self.read > MAX_OUTPUT_MIB << 20 {
                    return Err(Failure::TooMuch(MAX_OUTPUT_MIB));
                }
                for part in data.split_inclusive(|byte| *byte == b'\n') {
                    self.partial.extend_from_slice(part);
                    if self.partial.last() == Some(&b'\n') {
                        self.end_line();
                    }
                }
            }
            ChannelMsg::ExtendedData { data, .. } => {
                let room = MAX_STDERR.saturating_sub(self.stderr.len());
                self.stderr.extend_from_slice(&data[..data.len().min(room)]);
            }
            ChannelMsg::Failure => {
                return Err(Failure::NoCommand("no reason given".to_owned()));
            }
            ChannelMsg::Close => {
                self.closed = true;
                if !self.partial.is_empty() {
                    self.end_line();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.partial);
        self.lines
            .push_back(line.trim_end_matches(['\n', '\r']).to_owned());
        self.partial.clear();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let (false, Ok(runtime)) = (self.closed, tokio::runtime::Handle::try_current()) {
            let writer = Arc::clone(&self.writer);
            runtime.spawn(async move { writer.close().await });
        }
    }
}

async fn connect(endpoint: &Endpoint, deadline: Duration) -> Result<TcpStream, Failure> {
    let address = (endpoint.host.as_str(), endpoint.port);
    let stream = match timeout(deadline, TcpStream::connect(address)).await {
        Err(_) => return Err(Failure::Unreachable(deadline)),
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(Failure::Refused);
        }
        Ok(Err(error)) => return Err(Failure::Connect(system_said(&error))),
    };
    // Small messages go back and forth: none should wait for the next.
    stream
        .set_nodelay(true)
        .map_err(|error| Failure::Connect(system_said(&error)))?;
    Ok(stream)
}

/// The library's algorithms, those of keys that are known first, so that the host shows one of
/// them; without signatures by SHA-1.
fn preferred(known: &[String]) -> Preferred {
    let mut preferred = Preferred::default();
    let mut algorithms = preferred.key.to_vec();
    algorithms.retain(|algorithm| *algorithm != Algorithm::Rsa { hash: None });
    algorithms.sort_by_key(|algorithm| {
        let name = match algorithm {
            Algorithm::Rsa { .. } => "ssh-rsa",
            other => other.as_str(),
        };
        !known.iter().any(|kind| kind == name)
    });
    preferred.key = algorithms.into();
    preferred
}

impl From<russh::Error> for Failure {
    fn from(error: russh::Error) -> Self {
        Self::Handshake(match error {
            russh::Error::HUP | russh::Error::Disconnect => "it closed the connection".to_owned(),
            russh::Error::Version => "it is not an ssh server".to_owned(),
            russh::Error::IO(error) => system_said(&error),
            other => said(&other.to_string()),
        })
    }
}

/// What the system says, without its number.
pub fn system_said(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}
