//! An agent that may pay up to 100.00 in all, to known payees: what it is refused, and what a crash in mid-payment leaves.
//!
//! The process that pays is a child of this one, so that it can be killed after the bank has taken the money and before the
//! ledger knows. Nothing is paid twice, and nothing is lost.

use std::{
    error::Error,
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use openthymos::{
    Intent, Runtime, Submitted,
    canon::TrajectoryId,
    contract::{Effect, Risk},
    crypto::{NamedKey, Role, SecretKey},
    ledger::redb::RedbLedger,
    predicate::Predicate,
    replay::Pins,
    runtime::Run,
    tool::{ToolContract, ToolError, ToolOutput, tool},
    writ::{Amounts, Scope, WritBuilder},
};
use serde_json::json;

/// Set in the child: the ledger's folder, and the run that it goes on with.
const CRASHES_IN: &str = "PAYMENTS_CRASHES_IN";

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Payment {
    payee: String,
    amount_cents: u32,
    invoice: String,
}

/// The bank: a file with a line for each payment. It knows nothing of agents.
#[derive(Clone)]
struct Bank(PathBuf);

impl Bank {
    fn statement(&self) -> std::io::Result<String> {
        let mut lines = String::new();
        match File::open(&self.0) {
            Ok(mut file) => file.read_to_string(&mut lines).map(|_| lines),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(lines),
            Err(error) => Err(error),
        }
    }

    fn transfer(&self, payment: &Payment) -> std::io::Result<()> {
        let Payment { payee, amount_cents, invoice } = payment;
        let mut file = OpenOptions::new().append(true).create(true).open(&self.0)?;
        writeln!(file, "{invoice} {payee} {amount_cents}")?;
        file.sync_all()
    }

    /// Whether an invoice was paid; `None` when the bank does not answer.
    fn has_paid(&self, invoice: &str) -> Option<bool> {
        let statement = self.statement().ok()?;
        Some(statement.lines().any(|line| line.split(' ').next() == Some(invoice)))
    }
}

/// The agent's one tool. `crashes` names the invoice at which the process dies, right after the bank has been told.
fn pay(bank: &Bank, crashes: Option<&'static str>) -> Result<impl ToolContract + 'static, Box<dyn Error>> {
    let (pays, knows) = (bank.clone(), bank.clone());
    let tool = tool("pay", Effect::External, Risk::High)?
        .describe("Pays an invoice")
        .function(move |payment: Payment, _| {
            pays.transfer(&payment).map_err(|error| ToolError::Failed(error.to_string()))?;
            if crashes == Some(&*payment.invoice) {
                std::process::abort();
            }
            Ok(ToolOutput::new(json!({"paid": payment.amount_cents})))
        })
        // 1 cent is 1,000 thousandths of a cent: the writ's budget is the agent's spending limit.
        .costing(|payment| Amounts { usd_millicents: u64::from(payment.amount_cents) * 1_000, ..Amounts::ONE_CALL })
        .once_per(|payment| payment.invoice.clone())
        .reconciled_by(move |payment| knows.has_paid(&payment.invoice));
    Ok(tool)
}

/// Keys that stay the same from process to process. Yours are in files that only you read.
fn keys() -> (SecretKey, SecretKey, SecretKey) {
    (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]), SecretKey::from_seed(&[3; 32]))
}

async fn open(folder: &Path, crashes: Option<&'static str>) -> Result<Runtime, Box<dyn Error>> {
    let (treasurer, _, kernel) = keys();
    let runtime = Runtime::builder()
        .ledger(RedbLedger::open(folder.join("ledger.redb"))?)
        .signer("kernel", kernel)
        .trust(NamedKey::new("treasurer", treasurer.public_key()), [Role::WritIssuer])
        .tool(pay(&Bank(folder.join("bank.txt")), crashes)?)
        .open()
        .await?;
    Ok(runtime)
}

/// Up to 100.00 in all, to two payees, and nothing else.
async fn start(runtime: &Runtime) -> Result<Run, Box<dyn Error>> {
    let (treasurer, agent, _) = keys();
    let known: Predicate = serde_json::from_value(json!(
        {"field": "args.payee", "op": "in", "value": ["ACME Ltd", "City Power"]}
    ))?;
    let writ = WritBuilder::root(
        NamedKey::new("treasurer", treasurer.public_key()),
        NamedKey::new("agent", agent.public_key()),
    )
    .stores([runtime.store_id()])
    .scopes([Scope { when: Some(known), ..Scope::tools("pay".parse()?) }])
    .effects_up_to(Effect::External)
    .budget(Amounts { tool_calls: 20, usd_millicents: 100 * 100_000, wall_clock_ms: 600_000, ..Amounts::ZERO })
    .sign(&treasurer)
    .await?;
    Ok(runtime.start("pay this month's invoices", &writ, &agent).await?)
}

async fn ask(run: &Run, invoice: &str, payee: &str, amount_cents: u32) -> Result<(), Box<dyn Error>> {
    let payment = json!({"payee": payee, "amount_cents": amount_cents, "invoice": invoice});
    let told = match run.submit(Intent::act("pay", payment)).await? {
        Submitted::Committed { seq, .. } => format!("paid, commit #{seq}"),
        Submitted::Rejected { refusal, .. } => format!("refused: {refusal}"),
        other => format!("{other:?}"),
    };
    println!("  {invoice} {payee} {}.{:02}: {told}", amount_cents / 100, amount_cents % 100);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    openthymos::host::block_on(async {
        if let Some(folder) = std::env::var_os(CRASHES_IN) {
            return in_the_child(Path::new(&folder)).await;
        }
        let folder = std::env::temp_dir().join(format!("openthymos-payments-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let done = in_the_parent(&folder).await;
        std::fs::remove_dir_all(&folder)?;
        done
    })
}

async fn in_the_parent(folder: &Path) -> Result<(), Box<dyn Error>> {
    println!("what the writ allows, and what it does not");
    let runtime = open(folder, None).await?;
    let run = start(&runtime).await?;
    ask(&run, "INV-1", "ACME Ltd", 40_00).await?;
    ask(&run, "INV-1", "ACME Ltd", 40_00).await?;
    ask(&run, "INV-2", "Mallory", 1_00).await?;
    ask(&run, "INV-3", "City Power", 70_00).await?;
    let id = run.id();
    drop((run, runtime));

    println!("the process dies in the middle of a payment");
    let died =
        std::process::Command::new(std::env::current_exe()?).env(CRASHES_IN, folder).arg(id.to_string()).status()?;
    println!("  {died}");

    println!("the run is taken up again: the tool asks the bank");
    let runtime = open(folder, None).await?;
    let before = runtime.replay(&id, Pins::default()).await?.in_doubt.len();
    let run = runtime.resume(&id).await?;
    println!("  in doubt before: {before}, now: {}", run.in_doubt().await.len());
    ask(&run, "INV-4", "City Power", 25_00).await?;
    ask(&run, "INV-5", "City Power", 35_00).await?;
    ask(&run, "INV-6", "City Power", 1).await?;
    run.close().await?;

    println!("what the bank says");
    print!("{}", Bank(folder.join("bank.txt")).statement()?);
    let report = runtime.replay(&id, Pins::default()).await?;
    println!("what the ledger says: {} thousandths of a cent spent, {report}", report.spent.usd_millicents);
    Ok(())
}

/// Pays INV-4, and dies before it can say so.
async fn in_the_child(folder: &Path) -> Result<(), Box<dyn Error>> {
    let run: TrajectoryId = std::env::args().nth(1).ok_or("no run")?.parse()?;
    let runtime = open(folder, Some("INV-4")).await?;
    let run = runtime.resume(&run).await?;
    ask(&run, "INV-4", "City Power", 25_00).await
}
