//! What the parties file and say in several journeys: one function for each act, which calls the service as that
//! party, waits for what must come of it, and tells it. It must not know in which order they act.

use chrono::TimeDelta;
use kernel::{Clock as _, SystemClock};
use proto::common::v1::Condition;
use proto::customs::v1 as customs;
use proto::gate::v1 as gate;
use proto::release::v1 as release;

use super::journey::{Journey, declaration_state, phase, state_name};
use super::mishap::Mishap;
use super::waiting::Look;
use crate::client::Session;
use crate::commands::arguments::{kilograms, vehicle};
use crate::commands::show;
use crate::parties::PORT;

/// The mass of the empty container: a standard box of twenty feet.
pub const TARE_KILOGRAMS: u32 = 2_250;
/// The container's ISO 6346 size-type: twenty feet, standard height, general purpose.
pub const SIZE_TYPE: &str = "22G1";
/// The train is expected so much later than it is announced.
const TRAIN_DUE_IN: TimeDelta = TimeDelta::hours(1);
/// The truck is planned to come so much later than it is filed.
const TRUCK_DUE_IN: TimeDelta = TimeDelta::minutes(30);

impl Journey<'_> {
    /// The rail desk announces the train with the container.
    ///
    /// # Errors
    /// Gate refuses the list or the line.
    pub async fn announce_train(&mut self) -> Result<(), Mishap> {
        let terminal = &self.parties.terminal;
        let line = gate::ManifestLine {
            transport_document: self.names.transport_document.clone(),
            line_party: self.parties.line.party().to_owned(),
            packages: Some(self.goods.packages),
            gross_mass: Some(kilograms(&self.goods.gross_kilograms.to_string())),
            goods_description: self.goods.description.to_owned(),
        };
        let container = gate::AnnouncedContainer {
            container_number: self.names.container.to_string(),
            size_type: SIZE_TYPE.to_owned(),
            seals: vec![self.names.seal.clone()],
            empty: false,
            manifest_lines: vec![line],
        };
        let request = gate::AnnounceArrivalRequest {
            request_id: terminal.request_id(),
            validate_only: false,
            site_id: PORT.to_owned(),
            mode: gate::TransportMode::Rail.into(),
            conveyance: self.names.train.clone(),
            estimated_arrival: Some(chassis::convert::timestamp(
                SystemClock.now() + TRAIN_DUE_IN,
            )),
            containers: vec![container],
        };
        let results = terminal
            .gate()?
            .announce_arrival(request)
            .await?
            .into_inner()
            .results;
        let result = only_line(results)?;
        self.ids.container_visit = result.container_visit_id.clone();
        self.outcome(format!(
            "line {}: {}, container visit {}",
            result.line_number,
            line_outcome(&result),
            result.container_visit_id
        ));
        self.until_stay("ANNOUNCED").await?;
        self.until_told("CONTAINER_VISIT_ANNOUNCED", &["terminal", "line-a"])
            .await
    }

    async fn until_stay(&self, wanted: &str) -> Result<(), Mishap> {
        self.until(&format!("gate has the container {wanted}"), async || {
            let phase = phase(&self.stay(&self.ids.container_visit).await?);
            Ok(Look::if_so(phase == wanted, (), phase))
        })
        .await
    }

    /// The broker tries the document without filing it, until customs knows enough to decide as `wanted`; then
    /// files it.
    ///
    /// # Errors
    /// Customs decides otherwise.
    pub async fn lodge_declaration(
        &mut self,
        wanted: customs::FilingOutcome,
    ) -> Result<customs::Filing, Mishap> {
        let name = state_name(wanted.as_str_name(), "FILING_OUTCOME_");
        let awaited = format!("customs would have the declaration {name}");
        self.until(&awaited, async || {
            let filing = self.file(true).await?;
            let seen = filing_told(&filing);
            Ok(Look::if_so(filing.outcome() == wanted, (), seen))
        })
        .await?;
        let filing = self.file(false).await?;
        if filing.outcome() != wanted {
            return Err(Mishap::otherwise(
                format!("a declaration {name}"),
                filing_told(&filing),
            ));
        }
        self.ids.declaration.clone_from(&filing.declaration_id);
        self.ids.mrn.clone_from(&filing.mrn);
        self.notices.follow_also(&filing.declaration_id);
        let duty = filing.duty.clone().unwrap_or_default();
        let debt = state_name(filing.debt().as_str_name(), "DEBT_STATE_");
        self.outcome(format!(
            "{}, version {}, duty {} {}",
            filing_told(&filing),
            filing.filing_version,
            if debt.is_empty() { "NONE" } else { &debt },
            show::money(duty.total_payable.as_ref())
        ));
        for warning in &filing.warnings {
            self.outcome(format!("  warning {}", show::fault_text(warning)));
        }
        Ok(filing)
    }

    async fn file(&self, validate_only: bool) -> Result<customs::Filing, Mishap> {
        let broker = self.broker;
        let document = self.document.as_ref().ok_or_else(|| {
            Mishap::Documents(format!("{} has none in hand to be filed", self.name))
        })?;
        let request = customs::FileDocumentRequest {
            request_id: broker.request_id(),
            validate_only,
            document: document.bytes.clone().into(),
        };
        let answer = broker.customs()?.file_document(request).await?.into_inner();
        answer
            .filing
            .ok_or_else(|| Mishap::otherwise("a filing", "an empty answer"))
    }

    /// Waits until customs has matched the declaration with the train's list.
    ///
    /// # Errors
    /// It does not find the goods there.
    pub async fn until_matched(&self) -> Result<(), Mishap> {
        let consignment = self
            .until(
                "customs has matched the declaration with the manifest",
                async || {
                    let declaration = self.declaration().await?;
                    let consignment = declaration
                        .consignments
                        .first()
                        .cloned()
                        .unwrap_or_default();
                    let bound = consignment.container_visit_id == self.ids.container_visit;
                    let seen = format!("{} {}", match_name(&consignment), consignment.match_reason);
                    let matched = consignment.r#match() == customs::MatchState::Matched;
                    Ok(Look::if_so(matched && bound, consignment, seen))
                },
            )
            .await?;
        self.outcome(format!(
            "{} with {}",
            match_name(&consignment),
            consignment.container_visit_id
        ));
        self.until_told("DECLARATION_MATCHED", &["broker-a", "trader-a"])
            .await
    }

    /// The haulier files its truck's coming for the container: it is blocked, and told why.
    ///
    /// # Errors
    /// Gate refuses it, or does not block it.
    pub async fn pre_arrive(&mut self) -> Result<(), Mishap> {
        let request = gate::SubmitPreArrivalRequest {
            kind: gate::PreArrivalKind::FullOut.into(),
            containers: vec![gate::PreArrivalContainer {
                gross_mass: Some(kilograms(&self.laden_kilograms().to_string())),
                ..self.filed_container()
            }],
            document_references: vec![self.ids.mrn.clone()],
            ..self.truck(PORT)
        };
        let pre_arrival = self.submit(&self.parties.haulier, request).await?;
        if pre_arrival.state() != gate::PreArrivalState::Blocked {
            return Err(Mishap::otherwise(
                "a pre-arrival BLOCKED",
                pre_arrival_state(&pre_arrival),
            ));
        }
        self.know_pre_arrival(&pre_arrival);
        self.until_told("PRE_ARRIVAL_BLOCKED", &["haulier-a", "terminal"])
            .await
    }

    /// The haulier's truck as it is filed, to come to a site soon; its kind and load are to be added.
    pub fn truck(&self, site: &str) -> gate::SubmitPreArrivalRequest {
        gate::SubmitPreArrivalRequest {
            site_id: site.to_owned(),
            vehicle: Some(vehicle(&self.names.plate, None, "")),
            driver: Some(gate::Driver {
                name: "Zhang Wei".to_owned(),
                licence: "500103198801012345".to_owned(),
                phone: "+86 138 0000 0000".to_owned(),
            }),
            planned_arrival: Some(chassis::convert::timestamp(
                SystemClock.now() + TRUCK_DUE_IN,
            )),
            ..Default::default()
        }
    }

    /// The container as it is filed; its masses are to be added.
    pub fn filed_container(&self) -> gate::PreArrivalContainer {
        gate::PreArrivalContainer {
            container_number: self.names.container.to_string(),
            size_type: SIZE_TYPE.to_owned(),
            ..Default::default()
        }
    }

    /// The mass of the container with its goods.
    pub fn laden_kilograms(&self) -> u32 {
        TARE_KILOGRAMS + self.goods.gross_kilograms
    }

    /// Somebody files a truck: the answer, whatever it is.
    ///
    /// # Errors
    /// Gate refuses it.
    pub async fn submit(
        &self,
        filer: &Session,
        request: gate::SubmitPreArrivalRequest,
    ) -> Result<gate::PreArrival, Mishap> {
        let request = gate::SubmitPreArrivalRequest {
            request_id: filer.request_id(),
            ..request
        };
        let answer = filer.gate()?.submit_pre_arrival(request).await?;
        Ok(answer.into_inner().pre_arrival.unwrap_or_default())
    }

    /// From now on this is the journey's filing; tells it, with what is in its way.
    pub fn know_pre_arrival(&mut self, pre_arrival: &gate::PreArrival) {
        self.ids.pre_arrival.clone_from(&pre_arrival.pre_arrival_id);
        self.notices.follow_also(&pre_arrival.pre_arrival_id);
        let says = if pre_arrival.conditions.is_empty() {
            ""
        } else {
            "; gate says:"
        };
        self.outcome(format!(
            "pre-arrival {} is filed, {}{says}",
            pre_arrival.number,
            pre_arrival_state(pre_arrival)
        ));
        self.narration.conditions(&pre_arrival.conditions);
    }

    /// The rail desk records that the container was lifted off the train.
    ///
    /// # Errors
    /// Gate refuses, or finds something odd.
    pub async fn record_arrival(&mut self) -> Result<(), Mishap> {
        let terminal = &self.parties.terminal;
        let request = gate::RecordArrivalRequest {
            request_id: terminal.request_id(),
            validate_only: false,
            site_id: PORT.to_owned(),
            mode: gate::TransportMode::Rail.into(),
            conveyance: self.names.train.clone(),
            arrived_at: None,
            containers: vec![gate::LandedContainer {
                container_number: self.names.container.to_string(),
                seals_found: vec![self.names.seal.clone()],
                ..Default::default()
            }],
            complete: true,
        };
        let results = terminal
            .gate()?
            .record_arrival(request)
            .await?
            .into_inner()
            .results;
        let result = only_line(results)?;
        self.outcome(format!(
            "line {}: {}",
            result.line_number,
            line_outcome(&result)
        ));
        self.until_stay("ARRIVED").await?;
        self.until_told("CONTAINER_VISIT_ARRIVED", &["terminal"])
            .await
    }

    /// Waits until customs has accepted the declaration because the goods are here; `debts` are what may be said
    /// of the duty then.
    ///
    /// # Errors
    /// It does not.
    pub async fn until_accepted(
        &self,
        debts: &[customs::DebtState],
    ) -> Result<customs::DeclarationRecord, Mishap> {
        let awaited = "customs accepts the declaration, version 2, and settles the duty";
        let declaration = self
            .until(awaited, async || {
                let declaration = self.declaration().await?;
                let accepted = declaration
                    .history
                    .iter()
                    .any(|entry| entry.fact == "ACCEPTED");
                let settled = debts.contains(&declaration.debt());
                let seen = format!(
                    "{}, version {}",
                    declaration_told(&declaration),
                    declaration.filing_version
                );
                Ok(Look::if_so(
                    accepted && settled && declaration.filing_version == 2,
                    declaration,
                    seen,
                ))
            })
            .await?;
        let channel = state_name(declaration.channel().as_str_name(), "CHANNEL_");
        self.outcome(format!(
            "accepted, version {}; channel {channel}; debt {}",
            declaration.filing_version,
            state_name(declaration.debt().as_str_name(), "DEBT_STATE_")
        ));
        self.until_told(
            "DECLARATION_ACCEPTED",
            &[self.broker.party(), self.trader.party()],
        )
        .await?;
        Ok(declaration)
    }

    /// Waits until customs has cleared the declaration.
    ///
    /// # Errors
    /// It does not.
    pub async fn until_cleared(&self) -> Result<(), Mishap> {
        self.until("customs has cleared the declaration", async || {
            let declaration = self.declaration().await?;
            let cleared = declaration.status() == customs::DeclarationStatus::Cleared;
            Ok(Look::if_so(cleared, (), declaration_told(&declaration)))
        })
        .await?;
        self.outcome(format!("{} is CLEARED", self.ids.mrn));
        self.until_told(
            "DECLARATION_CLEARED",
            &[self.broker.party(), self.trader.party()],
        )
        .await
    }

    /// The line lets the haulier collect the consignment.
    ///
    /// # Errors
    /// Release refuses.
    pub async fn release_commercially(&self) -> Result<(), Mishap> {
        let line = &self.parties.line;
        let request = release::GrantCommercialReleaseRequest {
            request_id: line.request_id(),
            validate_only: false,
            transport_document: self.names.transport_document.clone(),
            haulier_party: self.parties.haulier.party().to_owned(),
            site_id: PORT.to_owned(),
            container_number: String::new(),
        };
        let answer = line
            .release()?
            .grant_commercial_release(request)
            .await?
            .into_inner();
        let granted = answer.commercial_release.unwrap_or_default();
        self.outcome(format!(
            "{} releases {} to {}",
            granted.line_party, granted.transport_document, granted.haulier_party
        ));
        self.until_told("COMMERCIAL_RELEASE_GRANTED", &["line-a", "haulier-a"])
            .await
    }

    /// The terminal says that the container can be picked up.
    ///
    /// # Errors
    /// Gate refuses.
    pub async fn make_available(&self) -> Result<(), Mishap> {
        let terminal = &self.parties.terminal;
        let request = gate::SetAvailabilityRequest {
            request_id: terminal.request_id(),
            container_visit_id: self.ids.container_visit.clone(),
            available: true,
            reason: String::new(),
            expected_version: 0,
        };
        let answer = terminal
            .gate()?
            .set_availability(request)
            .await?
            .into_inner();
        let visit = answer.container_visit.unwrap_or_default();
        self.outcome(format!(
            "{} is available: {}",
            visit.container_number, visit.available
        ));
        self.until_told("CONTAINER_VISIT_AVAILABLE", &["terminal", "haulier-a"])
            .await
    }

    /// Waits until release has granted the stay to the haulier, the truck may come, and everyone concerned
    /// has been told.
    ///
    /// # Errors
    /// It does not come to that.
    pub async fn until_ready(&self) -> Result<(), Mishap> {
        let decision = self.until_granted().await?;
        self.until_told("RELEASE_GRANTED", &["haulier-a", "broker-a", "terminal"])
            .await?;
        self.until_truck_may_come("terminal").await?;
        self.outcome(format!(
            "granted to {}; haulier, broker and terminal are told",
            decision.haulier_party,
        ));
        Ok(())
    }

    /// Waits until release has granted the container's stay.
    ///
    /// # Errors
    /// It does not.
    pub async fn until_granted(&self) -> Result<release::ContainerRelease, Mishap> {
        self.until("release grants the container", async || {
            let decision = self.decision(&self.ids.container_visit).await?;
            let granted = decision.state() == release::ReleaseState::Granted;
            let seen = codes(&decision.conditions);
            Ok(Look::if_so(granted, decision, seen))
        })
        .await
    }

    /// Waits until the truck may come, and its haulier and the gate staff of the site have been told.
    ///
    /// # Errors
    /// It may not.
    pub async fn until_truck_may_come(&self, gate_staff: &str) -> Result<gate::PreArrival, Mishap> {
        let pre_arrival = self
            .until("gate has the pre-arrival READY", async || {
                let pre_arrival = self.pre_arrival().await?;
                let seen = format!(
                    "{}: {}",
                    pre_arrival_state(&pre_arrival),
                    codes(&pre_arrival.conditions)
                );
                Ok(Look::if_so(
                    pre_arrival.state() == gate::PreArrivalState::Ready,
                    pre_arrival,
                    seen,
                ))
            })
            .await?;
        self.until_told("PRE_ARRIVAL_READY", &["haulier-a", gate_staff])
            .await?;
        self.notices.shown().await;
        let pass = if pre_arrival.pass_number.is_empty() {
            String::new()
        } else {
            format!(", gate pass {}", pre_arrival.pass_number)
        };
        self.outcome(format!(
            "pre-arrival {} is {}{pass}",
            pre_arrival.number,
            pre_arrival_state(&pre_arrival)
        ));
        Ok(pre_arrival)
    }
}

/// The only line of a list, which was taken.
///
/// # Errors
/// There are others, or it was not.
pub fn only_line(results: Vec<gate::ListLineResult>) -> Result<gate::ListLineResult, Mishap> {
    let told: Vec<String> = results.iter().map(line_told).collect();
    let mut results = results.into_iter();
    match (results.next(), results.next()) {
        (Some(result), None) if result.outcome() == gate::ListLineOutcome::Accepted => Ok(result),
        _ => Err(Mishap::otherwise("one line, ACCEPTED", told.join("; "))),
    }
}

fn line_told(result: &gate::ListLineResult) -> String {
    let faults: Vec<String> = result.faults.iter().map(show::fault_text).collect();
    format!(
        "line {}: {} {}",
        result.line_number,
        line_outcome(result),
        faults.join(", ")
    )
}

/// What became of a line: "ACCEPTED".
pub fn line_outcome(result: &gate::ListLineResult) -> String {
    state_name(result.outcome().as_str_name(), "LIST_LINE_OUTCOME_")
}

fn filing_told(filing: &customs::Filing) -> String {
    let outcome = state_name(filing.outcome().as_str_name(), "FILING_OUTCOME_");
    let faults: Vec<String> = filing.faults.iter().map(show::fault_text).collect();
    let mrn = if filing.mrn.is_empty() {
        String::new()
    } else {
        format!(" with MRN {}", filing.mrn)
    };
    format!(
        "{outcome}{mrn}{}{}",
        if faults.is_empty() { "" } else { ": " },
        faults.join(", ")
    )
}

fn declaration_told(declaration: &customs::DeclarationRecord) -> String {
    let status = declaration_state(declaration);
    let debt = state_name(declaration.debt().as_str_name(), "DEBT_STATE_");
    format!("declaration {status}, debt {debt}")
}

fn match_name(consignment: &customs::Consignment) -> String {
    state_name(consignment.r#match().as_str_name(), "MATCH_STATE_")
}

/// Where a pre-arrival is: "READY".
pub fn pre_arrival_state(pre_arrival: &gate::PreArrival) -> String {
    state_name(pre_arrival.state().as_str_name(), "PRE_ARRIVAL_STATE_")
}

/// The codes of conditions, for one line.
pub fn codes(conditions: &[Condition]) -> String {
    if conditions.is_empty() {
        return "no condition is named".to_owned();
    }
    show::condition_codes(conditions)
}
