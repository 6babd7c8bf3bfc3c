//! Whether the connection is encrypted and whom it trusts: `sslmode` and `sslrootcert` of the address, read as
//! PostgreSQL's own programs read them. One thing is stricter: a password for another machine goes out encrypted only,
//! unless the address says otherwise.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use postgres::Config;
use postgres::config::{Host, SslMode};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How sure the connection must be of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// In the clear.
    Disable,
    /// Encrypted where the server can.
    Prefer,
    /// Encrypted, by whoever answers.
    Require,
    /// Encrypted, by somebody with a certificate of the roots.
    VerifyCa,
    /// Encrypted, by somebody with such a certificate in the name that was asked for.
    VerifyFull,
}

impl Mode {
    fn parse(word: &str) -> Result<Self, String> {
        Ok(match word {
            "disable" => Self::Disable,
            "allow" | "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            other => {
                return Err(format!(
                    "there is no sslmode “{other}”; choose from disable, prefer, require, verify-ca, verify-full"
                ));
            }
        })
    }
}

/// What an address says about encryption.
pub struct Encryption {
    connector: Option<MakeRustlsConnect>,
    /// Encryption was not asked for in the address, but a password would go to another machine.
    insisted: bool,
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").field("on", &self.connector.is_some()).finish_non_exhaustive()
    }
}

/// Read an address: where to connect, and how.
pub fn read(address: &str, password: Option<&str>) -> Result<(Config, Encryption), String> {
    let (rest, said) = take(address, ["sslmode", "sslrootcert"])?;
    let mut config: Config = rest.parse().map_err(|error: postgres::Error| {
        let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        format!("{why}; it looks like postgres://name:password@host/database")
    })?;
    if let Some(password) = password.filter(|_| config.get_password().is_none()) {
        config.password(password);
    }
    let [mode, roots] = said;
    let mode = mode.as_deref().map(Mode::parse).transpose()?;
    let roots = roots.filter(|roots| roots != "system").map(PathBuf::from);
    let insisted = mode.is_none() && config.get_password().is_some() && !config.get_hosts().iter().all(local);
    let mode = mode.unwrap_or(if insisted { Mode::Require } else { Mode::Prefer });
    // As in PostgreSQL: who names the roots wants them used.
    let mode = if mode == Mode::Require && roots.is_some() { Mode::VerifyCa } else { mode };
    // A socket of this machine is never encrypted.
    let sockets = config.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_))) && !config.get_hosts().is_empty();
    let mode = if sockets { Mode::Disable } else { mode };
    config.ssl_mode(match mode {
        Mode::Disable => SslMode::Disable,
        Mode::Prefer => SslMode::Prefer,
        Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
    });
    let connector = match mode {
        Mode::Disable => None,
        mode => Some(MakeRustlsConnect::new(client(mode, roots.as_deref())?)),
    };
    Ok((config, Encryption { connector, insisted }))
}

impl Encryption {
    /// Connect.
    pub fn connect(&self, config: &Config) -> Result<postgres::Client, postgres::Error> {
        match &self.connector {
            Some(connector) => config.connect(connector.clone()),
            None => config.connect(postgres::NoTls),
        }
    }

    /// What to say where the two could not agree on encryption; nothing for other errors.
    pub fn explain(&self, error: &postgres::Error) -> Option<String> {
        if !error.to_string().starts_with("error performing TLS handshake") {
            return None;
        }
        let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        let unencrypted = why.contains("does not support TLS");
        Some(if unencrypted && self.insisted {
            "the server offers no encryption, and Plumb sends no password to another machine without: have its owner \
             switch on TLS, or write sslmode=disable into the address if you trust every network in between. Nothing was \
             sent"
                .to_owned()
        } else if unencrypted {
            "the server offers no encryption; have its owner switch on TLS. Nothing was sent".to_owned()
        } else {
            format!(
                "the server's certificate is not accepted ({why}). If it is the right server, name the certificate of \
                 whoever signed it by sslrootcert=FILE in the address. Nothing was sent"
            )
        })
    }
}

/// Whether it is this machine. By name alone: an address given beside the name changes nothing.
fn local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let bare = name.trim_start_matches('[').trim_end_matches(']');
            name == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// The address without the parameters called `names`, which the client library does not know, and their values.
fn take<const N: usize>(address: &str, names: [&str; N]) -> Result<(String, [Option<String>; N]), String> {
    let mut found = names.map(|_| None);
    let mut keep = |name: &str, value: String| {
        names.iter().position(|known| *known == name).map(|place| found[place] = Some(value)).is_some()
    };
    let rest = if address.starts_with("postgres://") || address.starts_with("postgresql://") {
        // A question mark before the last @ belongs to a password.
        let start = address.rfind('@').unwrap_or(0);
        let Some(at) = address[start..].find('?').map(|at| start + at) else { return Ok((address.to_owned(), found)) };
        let mut others = Vec::new();
        for pair in address[at + 1..].split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !keep(name, percent_decode_str(value).decode_utf8_lossy().into_owned()) {
                others.push(pair);
            }
        }
        let mark = if others.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", &address[..at], others.join("&"))
    } else {
        let mut others = String::new();
        for (text, name, value) in pairs(address)? {
            if !keep(name, value) {
                others.push_str(text);
                others.push(' ');
            }
        }
        others
    };
    Ok((rest, found))
}

/// The `key=value` pairs of an address: as they are written, name, and value without its quotes.
fn pairs(address: &str) -> Result<Vec<(&str, &str, String)>, String> {
    let mut pairs = Vec::new();
    let mut rest = address.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(|| {
            "it is neither postgres://name:password@host/database nor made of key=value pairs".to_owned()
        })?;
        let value = after.trim_start();
        let quoted = value.starts_with('\'');
        let (mut text, mut end, mut escaped) = (String::new(), value.len(), false);
        for (at, letter) in value.char_indices().skip(usize::from(quoted)) {
            if escaped {
                text.push(letter);
                escaped = false;
            } else if letter == '\\' {
                escaped = true;
            } else if quoted && letter == '\'' {
                end = at + 1;
                break;
            } else if !quoted && letter.is_whitespace() {
                end = at;
                break;
            } else {
                text.push(letter);
            }
        }
        let length = rest.len() - value.len() + end;
        pairs.push((&rest[..length], name.trim(), text));
        rest = rest[length..].trim_start();
    }
    Ok(pairs)
}

fn client(mode: Mode, roots: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let chain = match mode {
        Mode::Disable | Mode::Prefer | Mode::Require => None,
        Mode::VerifyCa | Mode::VerifyFull => {
            let roots = Arc::new(store(roots)?);
            let chain = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
            Some(chain.build().map_err(|error| error.to_string())?)
        }
    };
    let verifier = Arc::new(Verifier { chain, name: mode == Mode::VerifyFull, provider });
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The roots in a file, or those this machine trusts.
fn store(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let Some(file) = file else {
        let found = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            return Err("this machine trusts no certificates; name the server's by sslrootcert=FILE".to_owned());
        }
        return Ok(store);
    };
    let unreadable = |why: String| format!("sslrootcert: {} cannot be used ({why})", file.display());
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        store.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if store.is_empty() { Err(unreadable("there is no certificate in it".to_owned())) } else { Ok(store) }
}

/// Checks a server as far as the mode asks. Signatures of the handshake are checked always: without that, a certificate
/// would prove nothing.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// Whether the name counts.
    name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last, when the chain is found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let mode = |address: &str| {
            read(address, None).map(|(config, encryption)| (config.get_ssl_mode(), encryption.insisted))
        };
        // Passwords to other machines go out encrypted unless the address says otherwise; this machine is trusted.
        let table = [
            ("postgres://a:b@db.example/team", (SslMode::Require, true)),
            ("postgres://a@db.example/team", (SslMode::Prefer, false)),
            ("postgres://a:b@localhost/team", (SslMode::Prefer, false)),
            ("postgres://a:b@127.0.0.1:5432/team", (SslMode::Prefer, false)),
            ("postgres://a:b@db.example/team?sslmode=disable", (SslMode::Disable, false)),
            ("postgres://a:b@db.example/team?application_name=x&sslmode=prefer", (SslMode::Prefer, false)),
            ("postgres://a:b?c@db.example/team?sslmode=verify-full", (SslMode::Require, false)),
            ("host=/tmp user=a password='b c' dbname=d sslmode=require", (SslMode::Disable, false)),
            (
                "host=db.example user=a password='it\\'s = x' sslmode = 'verify-full' dbname=d",
                (SslMode::Require, false),
            ),
        ];
        for (address, expected) in table {
            assert_eq!(mode(address).unwrap(), expected, "{address}");
        }
        let (config, _) = read("host=h user=a sslmode=prefer password='it\\'s = x' dbname=d", None).unwrap();
        assert_eq!((config.get_password(), config.get_dbname()), (Some(&b"it's = x"[..]), Some("d")));
        let (config, _) = read("postgres://a:b@h/d?sslmode=prefer&connect_timeout=3", None).unwrap();
        assert_eq!(config.get_connect_timeout().map(std::time::Duration::as_secs), Some(3));
        // A password beside the address counts like one in it, unless there is one in it.
        let (config, encryption) = read("postgres://a@db.example/d", Some("b")).unwrap();
        assert_eq!((config.get_password(), encryption.insisted), (Some(&b"b"[..]), true));
        let (config, _) = read("postgres://a:b@localhost/d", Some("c")).unwrap();
        assert_eq!(config.get_password(), Some(&b"b"[..]));
        for (address, expected) in [
            ("postgres://a@h/d?sslmode=verify", "no sslmode “verify”"),
            ("postgres://a@h/d?sslmode=verify-ca&sslrootcert=%2Fno%2Fsuch", "/no/such"),
            ("nonsense", "postgres://"),
            ("postgres://a@h/d?nonsense=1", "nonsense"),
        ] {
            let error = mode(address).unwrap_err();
            assert!(error.contains(expected), "{address}: {error}");
        }
    }
}
