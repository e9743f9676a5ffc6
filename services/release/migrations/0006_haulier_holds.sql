-- A hold on a haulier holds the stays that the lines release to it: it is one of the parties of which holds are weighed.
update container_visit set goods_parties = goods_parties || array(
    select distinct r.haulier_party from commercial_release r
    where r.transport_document = any(container_visit.transport_documents) and r.revoked_at is null
      and r.haulier_party <> all(container_visit.goods_parties)) where not over;
