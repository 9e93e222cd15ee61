use crate::{
    proposal::{Code, Refusal, Stage},
    writ::Amounts,
};

/// Every writ of the chain has to have enough left in every dimension.
pub(super) fn check(balances: &[Amounts], cost: &Amounts) -> Result<(), Refusal> {
    for balance in balances {
        if let Some(dimension) = cost.exceeds(balance) {
            let refusal = Refusal::new(Stage::Budget, Code::BudgetExceeded).at(dimension.as_str());
            return Err(refusal.asked(cost.get(dimension)).allowed(balance.get(dimension)));
        }
    }
    Ok(())
}
